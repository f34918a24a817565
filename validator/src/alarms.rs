//! What an operator has to know of before it costs anything: judged from facts, raised once, lifted once.

use std::{collections::BTreeMap, time::Duration};

use athanor_chain::Countdown;
use serde::{Deserialize, Serialize};

/// Blocks that may be missed before the chain counts as silent.
const SILENT_BLOCKS: u32 = 10;
/// Shortest time that counts as silence: a fast chain may pause for a moment.
const SHORTEST_SILENCE: Duration = Duration::from_secs(60);
/// Epochs that may pass without weights before that is an alarm; one passes between any two rows.
const EPOCHS_WITHOUT_WEIGHTS: u32 = 2;
/// Share of a round's asks that may be lost by this validator's own trouble before that is an alarm.
const OWN_TROUBLE: f64 = 0.05;
/// Asks of a round before a share of them says anything.
const ENOUGH_ASKS: u32 = 20;

/// How soon somebody has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Today.
    Warn,
    /// Now.
    Page,
}

impl Severity {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Page => "page",
        }
    }
}

/// An alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// How soon somebody has to look.
    pub severity: Severity,
    /// What is wrong, with numbers, and what to do.
    pub text: String,
}

/// Alarms by their stable names.
pub type Alarms = BTreeMap<String, Alarm>;

/// What alarms are judged from.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How long ago the last block was seen; `None` before the first.
    pub block_age: Option<Duration>,
    /// From block to block.
    pub block_time: Duration,
    /// Blocks per epoch; `None` before the first block.
    pub epoch_blocks: Option<u32>,
    /// Whether the hotkey holds a slot and a permit; `None` before that was read.
    pub neuron: Option<Standing>,
    /// What comes next for the weights.
    pub countdown: Option<Countdown>,
    /// Why the last attempt to set weights failed, if it did.
    pub weights_failing: Option<String>,
    /// Rows of weights that were committed and never shown, since the start.
    pub weights_lost: u64,
    /// Asks of the running round that have an end, good or bad.
    pub asks_ended: u32,
    /// ... of which so many were lost by this validator's own trouble.
    pub asks_lost: u32,
    /// Whether the validator knows enough to set weights, and if not, what is missing.
    pub still_learning: Option<String>,
}

/// How the hotkey stands on the subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It holds a slot.
    pub registered: bool,
    /// It may set weights.
    pub permit: bool,
}

/// Judges the facts.
pub fn judge(facts: &Facts) -> Alarms {
    let mut alarms = Alarms::new();
    let mut raise = |name: &str, severity, text| {
        alarms.insert(name.to_owned(), Alarm { severity, text });
    };
    let silence = SHORTEST_SILENCE.max(facts.block_time.saturating_mul(SILENT_BLOCKS));
    if let Some(age) = facts.block_age.filter(|age| *age > silence) {
        let text = format!(
            "no new block for {} s: is the node in sync? Name a second one with --subtensor.chain_endpoint",
            age.as_secs()
        );
        raise("chain_silent", Severity::Page, text);
    }
    match facts.neuron {
        Some(Standing {
            registered: false, ..
        }) => raise(
            "not_registered",
            Severity::Page,
            "the hotkey has lost its slot: register it again (`athanor-validator register`)"
                .to_owned(),
        ),
        Some(Standing { permit: false, .. }) => raise(
            "no_permit",
            Severity::Warn,
            "the hotkey holds no validator permit, so its weights do not count: it needs more stake".to_owned(),
        ),
        _ => {}
    }
    if let Some((severity, text)) = ageing(facts) {
        raise("weights_ageing", severity, text);
    }
    if let Some(reason) = &facts.weights_failing {
        let text = format!("weights were not set ({reason}); it is tried again with every block");
        raise("weights_failing", Severity::Warn, text);
    }
    if facts.weights_lost > 0 {
        let text = format!(
            "{} rows of committed weights were not revealed in time since the start: was this process down for an epoch?",
            facts.weights_lost
        );
        raise("weights_lost", Severity::Warn, text);
    }
    let (lost, ended) = (facts.asks_lost, facts.asks_ended);
    if ended >= ENOUGH_ASKS && f64::from(lost) > OWN_TROUBLE * f64::from(ended) {
        let text = format!(
            "{lost} of {ended} asks of this round were lost by this validator's own trouble, and count for nothing: see the log"
        );
        raise("own_trouble", Severity::Warn, text);
    }
    alarms
}

/// Whether the weights grow old: after two epochs without any, long before the chain stops counting them. It is urgent in
/// the last quarter of the time that is left to them.
fn ageing(facts: &Facts) -> Option<(Severity, String)> {
    let countdown = facts.countdown?;
    let left = countdown.activity_cutoff?;
    // Who does not know enough has set none, and says so.
    if let Some(missing) = &facts.still_learning {
        let quarter = left <= whole(countdown, left) / 4;
        return quarter.then(|| {
            let text =
                format!("no weights are set yet ({missing}), and the last ones count for {left} more blocks only");
            (Severity::Warn, text)
        });
    }
    let age = countdown.block.0.saturating_sub(countdown.last_update.0);
    let epochs = EPOCHS_WITHOUT_WEIGHTS * facts.epoch_blocks?;
    let whole = whole(countdown, left);
    // Where the cutoff is as short as two epochs, half of it is early enough.
    if age <= epochs.min(whole / 2) {
        return None;
    }
    let severity = match left <= whole / 4 {
        true => Severity::Page,
        false => Severity::Warn,
    };
    let minutes = (facts.block_time * left).as_secs() / 60;
    let text = match left {
        0 => format!(
            "the last weights are {age} blocks old and no longer count: see why none were set since"
        ),
        _ => format!(
            "the last weights are {age} blocks old and stop counting in {left} blocks ({minutes} min): see why none were set since"
        ),
    };
    Some((severity, text))
}

/// Blocks for which a row of weights counts.
fn whole(countdown: Countdown, left: u32) -> u32 {
    countdown
        .block
        .0
        .saturating_sub(countdown.last_update.0)
        .saturating_add(left)
}

/// What has changed between two judgements: raised (or raised to another severity), and lifted.
pub fn changes<'a>(
    before: &'a Alarms,
    after: &'a Alarms,
) -> (Vec<(&'a str, &'a Alarm)>, Vec<&'a str>) {
    let raised = after
        .iter()
        .filter(|(name, alarm)| {
            before
                .get(*name)
                .is_none_or(|known| known.severity != alarm.severity)
        })
        .map(|(name, alarm)| (name.as_str(), alarm))
        .collect();
    let lifted = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(String::as_str)
        .collect();
    (raised, lifted)
}

#[cfg(test)]
mod tests {
    use athanor_chain::Protocol;
    use athanor_spec::BlockNumber;

    use super::*;

    const CUTOFF: u32 = 5000;

    /// A validator on the main network whose last weights are so many blocks old.
    fn aged(age: u32) -> Facts {
        Facts {
            block_age: Some(Duration::from_secs(6)),
            block_time: Duration::from_secs(12),
            epoch_blocks: Some(361),
            neuron: Some(Standing {
                registered: true,
                permit: true,
            }),
            countdown: Some(Countdown {
                block: BlockNumber(100_000),
                protocol: Protocol::Plain,
                last_update: BlockNumber(100_000 - age),
                epoch: 100,
                reveal: None,
                activity_cutoff: Some(CUTOFF.saturating_sub(age)),
            }),
            ..Facts::default()
        }
    }

    fn names(facts: &Facts) -> Vec<String> {
        judge(facts).into_keys().collect()
    }

    #[test]
    fn a_validator_that_sets_weights_every_epoch_raises_nothing() {
        for age in [0, 100, 361, 722] {
            assert_eq!(names(&aged(age)), [""; 0], "{age}");
        }
        assert_eq!(names(&Facts::default()), [""; 0], "nothing is known yet");
    }

    #[test]
    fn ageing_weights_are_told_long_before_they_stop_counting() {
        let severity = |age| judge(&aged(age)).get("weights_ageing").map(|a| a.severity);
        assert_eq!(severity(722), None);
        // More than fourteen hours before the end, on blocks of twelve seconds.
        assert_eq!(severity(723), Some(Severity::Warn));
        assert_eq!(severity(3749), Some(Severity::Warn));
        assert_eq!(severity(3750), Some(Severity::Page));
        let text = &judge(&aged(723))["weights_ageing"].text;
        assert!(text.contains("in 4277 blocks (855 min)"), "{text}");
        let text = &judge(&aged(CUTOFF))["weights_ageing"].text;
        assert!(text.contains("no longer count"), "{text}");
    }

    #[test]
    fn where_weights_count_for_less_than_four_epochs_half_of_that_is_early_enough() {
        let mut facts = aged(0);
        facts.epoch_blocks = Some(2000);
        let age_of = |age: u32| {
            let mut facts = facts.clone();
            if let Some(countdown) = &mut facts.countdown {
                countdown.last_update = BlockNumber(100_000 - age);
                countdown.activity_cutoff = Some(CUTOFF - age);
            }
            names(&facts)
        };
        assert_eq!(age_of(2500), [""; 0]);
        assert_eq!(age_of(2501), ["weights_ageing"]);
    }

    #[test]
    fn who_is_still_learning_is_not_told_that_its_weights_are_late() {
        let mut facts = aged(2000);
        facts.still_learning = Some("0 of 8 miners are known".to_owned());
        assert_eq!(names(&facts), [""; 0]);
        let mut last = aged(4000);
        last.still_learning.clone_from(&facts.still_learning);
        let alarms = judge(&last);
        assert_eq!(alarms["weights_ageing"].severity, Severity::Warn);
        assert!(alarms["weights_ageing"].text.contains("0 of 8"));
    }

    #[test]
    fn the_rest_has_its_own_names() {
        let healthy = aged(0);
        let with = |change: fn(&mut Facts)| {
            let mut facts = healthy.clone();
            change(&mut facts);
            names(&facts)
        };
        assert_eq!(
            with(|f| f.block_age = Some(Duration::from_secs(120))),
            [""; 0]
        );
        assert_eq!(
            with(|f| f.block_age = Some(Duration::from_secs(121))),
            ["chain_silent"]
        );
        let standing = |registered, permit| Some(Standing { registered, permit });
        let mut facts = healthy.clone();
        facts.neuron = standing(false, false);
        assert_eq!(names(&facts), ["not_registered"]);
        facts.neuron = standing(true, false);
        assert_eq!(names(&facts), ["no_permit"]);
        assert_eq!(
            with(|f| f.weights_failing = Some("cannot_pay".into())),
            ["weights_failing"]
        );
        assert_eq!(with(|f| f.weights_lost = 1), ["weights_lost"]);
        assert_eq!(with(|f| (f.asks_ended, f.asks_lost) = (100, 5)), [""; 0]);
        assert_eq!(
            with(|f| (f.asks_ended, f.asks_lost) = (100, 6)),
            ["own_trouble"]
        );
        assert_eq!(with(|f| (f.asks_ended, f.asks_lost) = (3, 3)), [""; 0]);
    }

    #[test]
    fn an_alarm_is_told_when_it_is_raised_when_it_gets_worse_and_when_it_is_lifted() {
        let (none, warn, page) = (judge(&aged(0)), judge(&aged(800)), judge(&aged(4000)));
        let told = |before: &Alarms, after: &Alarms| {
            let (raised, lifted) = changes(before, after);
            (raised.len(), lifted.len())
        };
        assert_eq!(told(&none, &warn), (1, 0));
        assert_eq!(
            told(&warn, &judge(&aged(900))),
            (0, 0),
            "only the numbers differ"
        );
        assert_eq!(told(&warn, &page), (1, 0));
        assert_eq!(told(&page, &none), (0, 1));
    }
}
