//! Samples with randomness of its own, as a server does that cannot or will not follow the ask's seed.
//!
//! Expected: `wrong_checkpoint`, because the tokens are not the draws that seed and checkpoint determine.

use athanor_miner::Behaviour as Conduct;
use athanor_spec::Ask;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "ignored_seed",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let own_seed = scene.seed;
    let conduct = Conduct::custom(move |ask, backend| async move {
        let seed = ask.seed.rotate_left(17) ^ own_seed;
        backend.draft(&Ask { seed, ..ask }).await
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
