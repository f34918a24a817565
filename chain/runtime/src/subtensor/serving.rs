//! Announce where neurons are reached.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

/// 127.0.0.1 as an integer.
const IPV4_LOOPBACK: u128 = 0x7f00_0001;
/// ::1 as an integer.
const IPV6_LOOPBACK: u128 = 1;

impl<T: Config> Pallet<T> {
    /// Stores the axon of `hotkey`, and a public key for TLS if there is a valid one (`do_serve_axon`).
    pub(super) fn do_serve_axon(
        hotkey: AccountId32,
        netuid: NetUid,
        axon: AxonInfo,
        certificate: Option<&[u8]>,
    ) -> DispatchResult {
        Self::check_axon(&hotkey, netuid, axon.ip, axon.ip_type, axon.port)?;
        if let Some(certificate) = certificate.and_then(NeuronCertificate::from_bytes) {
            NeuronCertificates::<T>::insert(netuid, &hotkey, certificate);
        }
        Axons::<T>::insert(netuid, &hotkey, axon);
        Self::deposit_event(Event::AxonServed(netuid, hotkey));
        Ok(())
    }

    /// Stores where the metrics of `hotkey` are read (`do_serve_prometheus`).
    pub(super) fn do_serve_prometheus(
        hotkey: AccountId32,
        netuid: NetUid,
        prometheus: PrometheusInfo,
    ) -> DispatchResult {
        let PrometheusInfo {
            ip, ip_type, port, ..
        } = prometheus;
        Self::check_prometheus(&hotkey, netuid, ip, ip_type, port)?;
        Prometheus::<T>::insert(netuid, &hotkey, prometheus);
        Self::deposit_event(Event::PrometheusServed(netuid, hotkey));
        Ok(())
    }

    /// Whether `hotkey` may announce this axon now.
    pub(super) fn check_axon(
        hotkey: &AccountId32,
        netuid: NetUid,
        ip: u128,
        ip_type: u8,
        port: u16,
    ) -> Result<(), Error<T>> {
        let last = Axons::<T>::get(netuid, hotkey).map_or(0, |axon| axon.block);
        Self::check_endpoint(hotkey, netuid, ip, ip_type, port, last)
    }

    /// Whether `hotkey` may announce its metrics here now.
    pub(super) fn check_prometheus(
        hotkey: &AccountId32,
        netuid: NetUid,
        ip: u128,
        ip_type: u8,
        port: u16,
    ) -> Result<(), Error<T>> {
        ensure!(ip != 0, Error::<T>::InvalidIpAddress);
        let last = Prometheus::<T>::get(netuid, hotkey).map_or(0, |info| info.block);
        Self::check_endpoint(hotkey, netuid, ip, ip_type, port, last)
    }

    fn check_endpoint(
        hotkey: &AccountId32,
        netuid: NetUid,
        ip: u128,
        ip_type: u8,
        port: u16,
        last: u64,
    ) -> Result<(), Error<T>> {
        ensure!(
            Uids::<T>::contains_key(netuid, hotkey),
            Error::<T>::HotKeyNotRegisteredInNetwork
        );
        ensure!(matches!(ip_type, 4 | 6), Error::<T>::InvalidIpType);
        let valid = match ip_type {
            4 => ip < u128::from(u32::MAX) && (ip != IPV4_LOOPBACK || LoopbackAxons::<T>::get()),
            _ => ip != u128::MAX && (ip != IPV6_LOOPBACK || LoopbackAxons::<T>::get()),
        };
        ensure!(valid, Error::<T>::InvalidIpAddress);
        let limit = ServingRateLimit::<T>::get(netuid);
        ensure!(
            limit == 0 || last == 0 || Self::current_block().saturating_sub(last) >= limit,
            Error::<T>::ServingRateLimitExceeded
        );
        ensure!(port != 0, Error::<T>::InvalidPort);
        Ok(())
    }
}
