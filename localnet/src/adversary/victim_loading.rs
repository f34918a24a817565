//! Loads the best honest miner with asks of its own while that is measured.
//!
//! It needs stake to be served at all, more than the spec's threshold, beside the miner that is to gain. Expected: no fault;
//! the victim's queue is fair, so that an asker in excess displaces its own asks.

use std::{sync::Arc, time::Duration};

use athanor_miner::Behaviour as Conduct;
use athanor_net::{Identity, NetConfig};
use athanor_spec::{Ask, Signed};
use athanor_validator::signer::{Signer, now_ms};
use tokio::sync::Semaphore;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// Asks under way at once.
const STREAMS: usize = 16;
/// How long an ask may take, and how long the next waits after one that was refused.
const DEADLINE: Duration = Duration::from_secs(8);
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "victim_loading",
    stage: Stage::Load,
    begins_after: 0,
    seats: &[Seat::Miner, Seat::Validator { stake: 50 }],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let own = scene.trained.clone();
    let miner = scene.miner(0, &own, Conduct::Honest).await?;
    let asker = &scene.seats[1].hotkey;
    let identity = Identity::from_seed(asker.seed);
    let (net, _inbound, _network) =
        athanor_net::start(NetConfig::new(identity, scene.spec.limits.clone())).await?;
    let context = scene.chain.signing_context(scene.spec.subnet.netuid);
    let signer = Signer::new(asker.pair.clone(), context);
    let (victim, streams) = (scene.victim.1, Arc::new(Semaphore::new(STREAMS)));
    let max_new_tokens = scene.spec.limits.max_new_tokens as u16;
    scene.ready();
    let load = async {
        let mut seed = now_ms();
        while let Ok(stream) = streams.clone().acquire_owned().await {
            seed = seed.wrapping_add(1);
            let ask: Signed<Ask> = signer.sign(Ask {
                prompt: (0..32).map(|at| 40 + (seed as u32 + at) % 400).collect(),
                max_new_tokens,
                temperature_milli: 800,
                seed,
            });
            let net = net.clone();
            tokio::spawn(async move {
                if net.ask(&victim, ask, DEADLINE).await.is_err() {
                    tokio::time::sleep(AFTER_REFUSAL).await;
                }
                drop(stream);
            });
        }
    };
    tokio::select! {
        () = load => {}
        () = scene.stop.cancelled() => {}
    }
    miner.shutdown().await;
    Ok(())
}
