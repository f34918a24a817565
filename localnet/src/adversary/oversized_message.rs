//! Sends messages over the size bounds: a manifest that names ten gigabytes on one seat, frames of four on another.
//!
//! Expected: `bad_artifact` for the manifest, of which nothing is fetched; answers that fail for the frames, of which nothing
//! is read.

use athanor_spec::Signed;

use super::{AttackError, Driver, OVERSIZED, Scene, Seat, Stage, rude};

/// Length that a frame claims.
const CLAIMED: u32 = u32::MAX;
/// Bytes of it that are sent.
const SENT: usize = 1 << 20;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "oversized_message",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner, Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let _impostor = scene.impostor(0, OVERSIZED).await?;
    let own = scene.trained.clone();
    let rude = rude::serve(&scene, 1, &own, |ask: Signed<_>, mut frames| async move {
        drop(ask);
        let mut frame = CLAIMED.to_le_bytes().to_vec();
        frame.resize(SENT, 0);
        frames.write(frame);
    })
    .await?;
    scene.ready();
    scene.stop.cancelled().await;
    drop(rude);
    Ok(())
}
