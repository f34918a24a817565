//! Whether two independent validators rank honest miners alike: a subnet of its own, and what came of it.
//!
//! Eight honest miners do not learn and differ in one thing only: how much noise was added to what they inherit from the
//! teacher. Two validators with keys, hence seeds, of their own ask them for twenty rounds. Both the gaps that they see and
//! how far they agree on the ranking are printed.

pub mod tau;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use athanor_spec::{Hotkey, Round, Uid, telemetry::Event};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::{
    error::LocalnetError,
    ground::Ground,
    report::{Member, Role},
    settings::Settings,
    subnet::Subnet,
};
use tau::{Agreement, Pair, agreement, kendall, means};

/// Rounds if no other number is asked for.
pub const ROUNDS: u64 = 20;
/// The least agreement that is enough.
pub const ENOUGH: f64 = 0.9;
/// Noise in the eight students, as a share of each tensor's own deviation: the first is nearly its teacher's layers.
pub const NOISE: [f32; 8] = [0.02, 0.16, 0.24, 0.32, 0.42, 0.54, 0.7, 1.0];

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Rounds that both validators closed.
    pub rounds: usize,
    /// The miners, best first by the mean of both validators.
    pub miners: Vec<Ranked>,
    /// tau-b of the mean qualities over all rounds.
    pub tau: f64,
    /// Lower bound of it with 95 % confidence.
    pub tau_low: f64,
    /// tau-b of the qualities of each round alone.
    pub tau_by_round: Vec<f64>,
}

/// A miner's place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Its slot.
    pub uid: Uid,
    /// Noise in its student.
    pub noise: f32,
    /// Mean quality by each validator.
    pub quality: [f64; 2],
    /// How far the next one lies below, by the mean of both; `None` for the last.
    pub gap: Option<f64>,
}

impl Outcome {
    /// Whether the validators agree well enough.
    pub fn is_enough(&self) -> bool {
        self.tau >= ENOUGH
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  uid  noise  quality by 0  quality by 1  gap to the next"
        )?;
        for miner in &self.miners {
            let [a, b] = miner.quality;
            let gap = miner.gap.map_or("-".to_owned(), |gap| format!("{gap:.4}"));
            writeln!(
                f,
                "{:>5}  {:>5.2}  {a:>12.4}  {b:>12.4}  {gap:>15}",
                miner.uid.0, miner.noise
            )?;
        }
        let mut by_round = String::new();
        for tau in &self.tau_by_round {
            write!(by_round, " {tau:.2}")?;
        }
        writeln!(f, "tau of each round alone:{by_round}")?;
        write!(
            f,
            "Kendall's tau-b over {} rounds: {:.3}, at least {:.3} with 95 % confidence; {ENOUGH} is asked for: {}",
            self.rounds,
            self.tau,
            self.tau_low,
            if self.is_enough() { "met" } else { "missed" }
        )
    }
}

/// Runs the subnet until both validators have closed the rounds asked for. `told` hears of every round.
pub async fn measure(
    settings: &Settings,
    stop: &CancellationToken,
    told: impl Fn(usize, f64),
) -> Result<Outcome, LocalnetError> {
    let ground = Ground::prepare(settings).await?;
    let mut subnet = Subnet::populate(ground, settings).await?;
    let events = subnet.feed.subscribe();
    let mut qualities = Qualities::new(&subnet.members);
    let wanted = usize::try_from(settings.epochs.unwrap_or(ROUNDS)).unwrap_or(usize::MAX);
    let ended = tokio::select! {
        heard = listen(events, &mut qualities, wanted, told) => heard,
        failed = subnet.failed() => failed,
        () = stop.cancelled() => Ok(()),
    };
    subnet.shutdown().await?;
    ended?;
    let rounds = qualities.rounds();
    outcome(
        &qualities,
        &rounds[..rounds.len().min(wanted)],
        settings.seed,
    )
    .ok_or(LocalnetError::NoAgreement)
}

async fn listen(
    mut events: Receiver<Event>,
    qualities: &mut Qualities,
    wanted: usize,
    told: impl Fn(usize, f64),
) -> Result<(), LocalnetError> {
    let mut known = 0;
    while known < wanted {
        match events.recv().await {
            Ok(event) => qualities.hear(&event),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
        let rounds = qualities.rounds();
        if rounds.len() > known {
            known = rounds.len();
            if let Some((a, b)) = rounds.last() {
                told(known, kendall(a, b).unwrap_or(0.0));
            }
        }
    }
    Ok(())
}

/// Qualities by round, validator and miner.
struct Qualities {
    validators: Vec<Hotkey>,
    miners: Vec<(Uid, Hotkey)>,
    seen: BTreeMap<Round, BTreeMap<(usize, Uid), f64>>,
}

impl Qualities {
    fn new(members: &[Member]) -> Self {
        let of = |role: Role| members.iter().filter(move |member| member.role == role);
        Self {
            validators: of(Role::Validator).map(|member| member.hotkey).collect(),
            miners: of(Role::Miner)
                .map(|member| (member.uid, member.hotkey))
                .collect(),
            seen: BTreeMap::new(),
        }
    }

    fn hear(&mut self, event: &Event) {
        if let Event::Graded {
            validator,
            uid,
            round,
            grade,
            ..
        } = event
            && let Some(validator) = self.validators.iter().position(|it| it == validator)
        {
            let seen = self.seen.entry(*round).or_default();
            seen.insert((validator, *uid), grade.quality);
        }
    }

    /// The rounds in which both validators graded every miner.
    fn rounds(&self) -> Vec<Pair> {
        let of = |seen: &BTreeMap<(usize, Uid), f64>, validator| -> Option<Vec<f64>> {
            let grade = |(uid, _): &(Uid, Hotkey)| seen.get(&(validator, *uid)).copied();
            self.miners.iter().map(grade).collect()
        };
        self.seen
            .values()
            .filter_map(|seen| Some((of(seen, 0)?, of(seen, 1)?)))
            .collect()
    }
}

fn outcome(qualities: &Qualities, rounds: &[Pair], seed: u64) -> Option<Outcome> {
    let Agreement { tau, low } = agreement(rounds, seed)?;
    let (a, b) = means(rounds);
    let mut miners: Vec<Ranked> = qualities
        .miners
        .iter()
        .zip(NOISE)
        .enumerate()
        .map(|(index, ((uid, _), noise))| Ranked {
            uid: *uid,
            noise,
            quality: [a[index], b[index]],
            gap: None,
        })
        .collect();
    let mean = |miner: &Ranked| (miner.quality[0] + miner.quality[1]) / 2.0;
    miners.sort_by(|x, y| mean(y).total_cmp(&mean(x)));
    for index in 1..miners.len() {
        miners[index - 1].gap = Some(mean(&miners[index - 1]) - mean(&miners[index]));
    }
    Some(Outcome {
        rounds: rounds.len(),
        miners,
        tau,
        tau_low: low,
        tau_by_round: rounds.iter().filter_map(|(a, b)| kendall(a, b)).collect(),
    })
}
