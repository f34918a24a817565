//! Commits to weights and reveals one row in ten of them: to count as active without showing what it thinks.
//!
//! Expected: a row that was lost leaves the one before in force, which is as old as that.

use athanor_scoring::attack::{self, Conduct, Poll, Reveal};

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    vote::{Showing, vote},
};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "late_revealer",
    stage: Stage::Votes,
    begins_after: 0,
    seats: &[Seat::Validator { stake: 50 }],
    cannot_show: Some("scores that move while a row stays"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    scene.ready();
    vote(&scene, 0, Showing::Some(reveals), |poll| poll.consensus()).await
}

/// Whether the row of this number is revealed, as the catalogue has it.
fn reveals(number: u64) -> bool {
    let poll = Poll {
        epoch: number,
        member: 0,
        members: 1,
    };
    match attack::find(DRIVER.name).map(|attack| attack.conduct) {
        Some(Conduct::Validator(vote)) => vote(&poll).reveal == Reveal::InTime,
        Some(Conduct::Miner(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_in_ten_is_revealed() {
        let revealed: Vec<u64> = (0..30).filter(|number| reveals(*number)).collect();
        assert_eq!(revealed, [0, 10, 20]);
    }
}
