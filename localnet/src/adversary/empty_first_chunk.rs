//! Opens the stream with an empty piece at once, to look fast.
//!
//! Expected: every answer fails, because a piece without tokens is no message of the protocol.

use athanor_spec::{Answer, Signed, wire::AskFrame};
use athanor_validator::signer::now_ms;

use super::{AttackError, Driver, Scene, Seat, Stage, rude};

/// How long an answer's signature is fresh, in milliseconds.
const WINDOW_MS: u64 = 30_000;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "empty_first_chunk",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let engine = scene.engine(&scene.trained)?;
    let context = scene.chain.signing_context(scene.spec.subnet.netuid);
    let hotkey = scene.seats[0].hotkey.pair.clone();
    let own = scene.trained.clone();
    let rude = rude::serve(&scene, 0, &own, move |ask: Signed<athanor_spec::Ask>, mut frames| {
        let (engine, hotkey) = (engine.clone(), hotkey.clone());
        async move {
            frames.send(&AskFrame::Tokens(Vec::new()));
            let Ok(drawn) = engine.draft(&ask.payload).await else {
                return;
            };
            let answer = Answer {
                request: ask.payload.hash(),
                checkpoint: drawn.checkpoint,
                tokens: drawn.tokens,
                finish: drawn.finish,
            };
            let (now, nonce) = (now_ms(), ask.nonce);
            let signed = Signed::new(&hotkey, &context, answer, now, WINDOW_MS, nonce);
            frames.send(&AskFrame::Done(signed));
        }
    })
    .await?;
    scene.ready();
    scene.stop.cancelled().await;
    drop(rude);
    Ok(())
}
