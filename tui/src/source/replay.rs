//! Playing a recording: which updates are due, at any speed, forwards and backwards.

use std::time::Duration;

use super::recording::Recording;
use crate::state::{Play, State};

/// Slowest and fastest, as powers of two of real time.
const SPEEDS: std::ops::RangeInclusive<i32> = -3..=8;

/// A recording being played; time is handed in, not taken.
#[derive(Debug)]
pub struct Player {
    recording: Recording,
    next: usize,
    position: Duration,
    /// Power of two of real time.
    speed: i32,
    paused: bool,
}

/// How a player stands, for whoever draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playing {
    /// Time since the recording's start.
    pub position: Duration,
    /// How long the recording is.
    pub length: Duration,
    /// Times real time.
    pub speed: f64,
    /// Whether it stands still.
    pub paused: bool,
}

impl Player {
    /// At the beginning of a recording. `speed` is rounded to a power of two of real time.
    pub fn new(recording: Recording, speed: f64) -> Self {
        let power = speed.max(f64::MIN_POSITIVE).log2().round() as i32;
        Self {
            recording,
            next: 0,
            position: Duration::ZERO,
            speed: power.clamp(*SPEEDS.start(), *SPEEDS.end()),
            paused: false,
        }
    }

    /// The state before the first update.
    pub fn state(&self) -> State {
        self.recording.state()
    }

    /// Lets real time pass, and brings the state to where the recording is then. Says whether anything changed.
    pub fn advance(&mut self, state: &mut State, passed: Duration) -> bool {
        if self.paused || self.position >= self.recording.length() {
            return false;
        }
        let to = self.position + passed.mul_f64(2f64.powi(self.speed));
        self.position = to.min(self.recording.length());
        while let Some((at, update)) = self.recording.entries.get(self.next)
            && *at <= self.position
        {
            state.update(update.clone(), *at);
            self.next += 1;
        }
        state.update(crate::state::Update::Tick, self.position);
        true
    }

    /// Plays otherwise. Going back begins the state anew, as it only ever moves forward.
    pub fn play(&mut self, play: Play, state: &mut State) {
        match play {
            Play::Pause => self.paused = !self.paused,
            Play::Speed { faster } => {
                let to = self.speed + if faster { 1 } else { -1 };
                self.speed = to.clamp(*SPEEDS.start(), *SPEEDS.end());
            }
            Play::Seek(seconds) => {
                let by = Duration::from_secs(seconds.unsigned_abs().into());
                let to = match seconds < 0 {
                    true => self.position.saturating_sub(by),
                    false => (self.position + by).min(self.recording.length()),
                };
                let asked = state.what_if.take();
                let unmasked = state.unmasked;
                *state = self.recording.state_at(to);
                state.unmasked = unmasked;
                state.suppose(asked.map(|asked| asked.rules));
                self.position = to;
                let entries = &self.recording.entries;
                self.next = entries.partition_point(|(at, _)| *at <= to);
            }
        }
    }

    /// How it stands.
    pub fn playing(&self) -> Playing {
        Playing {
            position: self.position,
            length: self.recording.length(),
            speed: 2f64.powi(self.speed),
            paused: self.paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        source::recording::Heading,
        state::{Update, scene},
    };

    fn player() -> Player {
        let picture = |block: u32| {
            let at = Duration::from_secs(u64::from(block - 100));
            (at, Update::Chain(Box::new(scene::snapshot(block))))
        };
        let recording = Recording {
            heading: Heading {
                athanor_recording: 1,
                network: "local".to_owned(),
                netuid: athanor_spec::NetUid(1),
                labels: Default::default(),
                block_time_ms: None,
            },
            entries: (100..=160).map(picture).collect(),
        };
        Player::new(recording, 4.0)
    }

    fn block(state: &State) -> Option<u32> {
        state.chain.as_ref().map(|chain| chain.metagraph.block.0)
    }

    #[test]
    fn it_plays_at_its_speed_and_stops_at_the_end() {
        let mut player = player();
        let mut state = player.state();
        player.advance(&mut state, Duration::from_secs(2));
        assert_eq!(block(&state), Some(108));
        player.play(Play::Speed { faster: true }, &mut state);
        player.advance(&mut state, Duration::from_secs(1));
        assert_eq!(block(&state), Some(116));
        player.play(Play::Pause, &mut state);
        assert!(!player.advance(&mut state, Duration::from_secs(9)));
        player.play(Play::Pause, &mut state);
        player.advance(&mut state, Duration::from_secs(900));
        assert_eq!(block(&state), Some(160));
        assert!(!player.advance(&mut state, Duration::from_secs(1)));
    }

    #[test]
    fn going_back_shows_what_was_known_then() {
        let mut player = player();
        let mut state = player.state();
        player.advance(&mut state, Duration::from_secs(10));
        player.play(Play::Seek(-30), &mut state);
        assert_eq!(block(&state), Some(110));
        assert_eq!(player.playing().position, Duration::from_secs(10));
        player.play(Play::Seek(-300), &mut state);
        assert_eq!(block(&state), Some(100));
        player.play(Play::Seek(i32::MAX), &mut state);
        assert_eq!(block(&state), Some(160));
        state.unmasked = true;
        player.play(Play::Seek(-60), &mut state);
        assert!(state.unmasked, "what a person asked for stays");
        player.advance(&mut state, Duration::from_secs(1));
        assert_eq!(block(&state), Some(104), "it goes on from there");
    }
}
