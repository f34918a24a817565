//! Which axons may be announced.

use frame_support::assert_ok;
use sp_runtime::DispatchResult;

use super::*;

const PUBLIC: u128 = 0x0808_0808;
const LOOPBACK: u128 = 0x7f00_0001;

fn serve(hotkey: u8, ip: u128, port: u16, ip_type: u8) -> DispatchResult {
    SubtensorModule::serve_axon(signed(hotkey), NETUID, 1, ip, port, ip_type, 4, 0, 0)
}

#[test]
fn an_axon_is_stored_with_its_block_and_each_rule_has_its_error() {
    let mut subnet = subnet();
    subnet.serving_rate_limit = 3;
    subnet.neurons = vec![neuron(2, 0)];
    on_chain(config(vec![subnet]), || {
        let check = |result: DispatchResult, expected: Error<Runtime>| {
            assert_eq!(result, Err(expected.into()));
        };
        check(
            serve(30, PUBLIC, 80, 4),
            Error::HotKeyNotRegisteredInNetwork,
        );
        check(serve(20, PUBLIC, 80, 5), Error::InvalidIpType);
        check(serve(20, LOOPBACK, 80, 4), Error::InvalidIpAddress);
        check(serve(20, 1, 80, 6), Error::InvalidIpAddress);
        check(serve(20, u32::MAX.into(), 80, 4), Error::InvalidIpAddress);
        check(serve(20, PUBLIC, 0, 4), Error::InvalidPort);
        assert_ok!(serve(20, PUBLIC, 80, 4));
        let axon = Axons::<Runtime>::get(NETUID, account(20)).unwrap();
        assert_eq!(
            (axon.block, axon.ip, axon.port, axon.protocol),
            (1, PUBLIC, 80, 4)
        );
        go_to(3);
        check(serve(20, PUBLIC, 81, 4), Error::ServingRateLimitExceeded);
        go_to(4);
        assert_ok!(serve(20, PUBLIC, 81, 4));
    });
}

#[test]
fn loopback_is_allowed_where_the_genesis_says_so() {
    let mut subnet = subnet();
    subnet.neurons = vec![neuron(2, 0)];
    let config = SubtensorModuleConfig {
        loopback_axons: true,
        ..config(vec![subnet])
    };
    on_chain(config, || {
        assert_ok!(serve(20, LOOPBACK, 80, 4));
    });
}
