//! `relay`: carry others' streams to miners behind routers, and tell them whether they can be reached.
//!
//! It needs no key and no chain: a small machine with a public address is enough, and what it carries is encrypted between
//! those at the two ends.

use std::path::PathBuf;

use athanor_miner::StartError;
use athanor_net::{Identity, NetConfig, RelayLimits};
use athanor_node::{
    AxonArgs, ExternalArgs, SubnetArgs,
    args::{Bytes, bytes},
    axon::told,
    blocking, lock, shutdown,
};
use clap::Args;

use super::CliError;

/// Everything of `relay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RelayArgs {
    #[command(flatten)]
    subnet: SubnetArgs,
    #[command(flatten)]
    axon: AxonArgs,
    #[command(flatten)]
    external: ExternalArgs,
    /// Directory of the relay's own identity, to which the addresses that it prints are bound [default: ~/.athanor/relay]
    #[arg(long = "data.dir", alias = "data-dir", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Bytes that one connection may carry, such as 16MiB; 0: any number, for a relay that serves one's own miners
    #[arg(long = "relay.bytes", alias = "relay-bytes", value_name = "BYTES", value_parser = bytes, default_value = "16MiB")]
    relay_bytes: Bytes,
    /// Speak TCP only, and not QUIC over UDP beside it
    #[arg(long = "net.quic_off", aliases = ["net.quic-off", "net-quic-off"])]
    quic_off: bool,
}

impl RelayArgs {
    fn data_dir(&self) -> PathBuf {
        let home = || std::env::home_dir().unwrap_or_default();
        self.data_dir
            .clone()
            .unwrap_or_else(|| home().join(".athanor/relay"))
    }
}

/// Relays until told to stop.
pub(crate) async fn run(arguments: RelayArgs) -> Result<(), CliError> {
    let stop = shutdown::signal().map_err(CliError::Signals)?;
    let limits = arguments.subnet.load()?.limits;
    let data_dir = arguments.data_dir();
    // Held until the end of this function.
    let _lock = lock::directory(&data_dir)?;
    let key = data_dir.join("peer.key");
    let identity = blocking(move || Identity::open_or_create(&key)).await?;
    let (peer, quic) = (identity.peer_id(), !arguments.quic_off);
    // It asks nobody, and nobody asks it anything but to be carried.
    let (_, _, net) = athanor_net::start(NetConfig {
        listen: arguments.axon.listen(),
        quic,
        relay_server: Some(RelayLimits {
            circuit_bytes: arguments.relay_bytes.0,
        }),
        ..NetConfig::new(identity, limits)
    })
    .await?;
    let given = arguments.external.address();
    let reached = told(given, net.local_addr()).or_else(|| net.whereabouts().now(None));
    let reached = reached.ok_or(StartError::NoExternalAddress)?;
    net.announce(reached).await;
    println!("A miner behind a router is reached through this relay if it runs with");
    println!(
        "  --net.relays {}",
        athanor_net::address_of(reached, peer, quic)
    );
    stop.cancelled().await;
    net.shutdown().await;
    Ok(())
}
