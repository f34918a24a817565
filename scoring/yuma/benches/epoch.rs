//! Time one epoch of subnets of several sizes, and the plain transcription of the rules on the same states.

use std::fmt;
use std::fs;

use athanor_yuma::{LiquidAlpha, Outcome, Params, State, epoch};
use divan::Bencher;

#[expect(unreachable_pub, reason = "the module is shared with tests")]
mod transcription;

fn main() {
    println!("CPU: {}, single-threaded", cpu());
    for case in CASES.into_iter().filter(|case| case.uids <= 256) {
        let subnet = Subnet::new(case);
        assert_eq!(
            epoch(&subnet.params, &subnet.state()),
            transcription::epoch(&subnet.params, &subnet.state()),
            "{case}"
        );
    }
    divan::main();
}

/// The epoch of this crate.
#[divan::bench(args = CASES, sample_count = 50, max_time = 1)]
fn epoch_of(bencher: Bencher<'_, '_>, case: Case) {
    time(bencher, case, epoch);
}

/// The plain transcription of the rules.
#[divan::bench(args = CASES, sample_count = 10, max_time = 1)]
fn transcription_of(bencher: Bencher<'_, '_>, case: Case) {
    time(bencher, case, transcription::epoch);
}

fn time(bencher: Bencher<'_, '_>, case: Case, run: impl Fn(&Params, &State<'_>) -> Outcome + Sync) {
    let subnet = Subnet::new(case);
    bencher.bench(|| run(divan::black_box(&subnet.params), &subnet.state()));
}

/// The processor that this runs on, as Linux calls it.
fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    match (value("model name"), value("model\t")) {
        (Some(name), Some(model)) => format!("{name} (model {model})"),
        (Some(name), None) => name,
        _ => "unknown".to_owned(),
    }
}

/// The rules that bonds follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    Yuma1,
    Yuma3,
    Liquid,
}

/// A subnet to time.
#[derive(Debug, Clone, Copy)]
struct Case {
    rules: Rules,
    uids: u16,
    validators: u16,
    /// Whether every validator weighs every UID, or about a tenth of them, mostly the same ones.
    dense: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = match self.rules {
            Rules::Yuma1 => "yuma1",
            Rules::Yuma3 => "yuma3",
            Rules::Liquid => "yuma3+liquid",
        };
        let density = match self.dense {
            true => "dense",
            false => "sparse",
        };
        write!(
            out,
            "{rules}/{density}/uids={}/validators={}",
            self.uids, self.validators
        )
    }
}

const CASES: [Case; 18] = {
    const RULES: [Rules; 3] = [Rules::Yuma1, Rules::Yuma3, Rules::Liquid];
    const SIZES: [(u16, u16); 3] = [(256, 64), (1024, 256), (4096, 512)];
    let mut cases = [Case {
        rules: Rules::Yuma1,
        uids: 0,
        validators: 0,
        dense: true,
    }; 18];
    let mut index = 0;
    while index < cases.len() {
        let (uids, validators) = SIZES[index % 3];
        cases[index] = Case {
            rules: RULES[index / 6],
            uids,
            validators,
            dense: index / 3 % 2 == 0,
        };
        index += 1;
    }
    cases
};

/// Everything that an epoch reads.
struct Subnet {
    params: Params,
    alpha_stake: Vec<u64>,
    tao_stake: Vec<u64>,
    last_update: Vec<u64>,
    block_at_registration: Vec<u64>,
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    validator_permit: Vec<bool>,
}

const BLOCK: u64 = 5_000_000;
const TEMPO: u16 = 360;

impl Subnet {
    /// A subnet in its third epoch, the same for the same case.
    fn new(case: Case) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ u64::from(case.uids));
        let n = usize::from(case.uids);
        let validators = usize::from(case.validators);
        let quality: Vec<u64> = (0..n).map(|_| random.below(50_000)).collect();
        let mut subnet = Self {
            params: params(case),
            alpha_stake: (0..n)
                .map(|uid| match uid < validators {
                    true => 1_000_000_000_000 + random.below(100_000_000_000_000),
                    false => 0,
                })
                .collect(),
            tao_stake: (0..n).map(|_| random.below(1_000_000_000_000)).collect(),
            last_update: (0..n).map(|_| BLOCK - 1 - random.below(300)).collect(),
            block_at_registration: (0..n).map(|_| random.below(BLOCK - 10_000)).collect(),
            weights: Vec::new(),
            bonds: vec![Vec::new(); n],
            validator_permit: (0..n).map(|uid| uid < validators).collect(),
        };
        for _ in 0..2 {
            subnet.weights = (0..n)
                .map(|uid| match uid < validators {
                    true => opinion(&quality, case.dense, &mut random),
                    false => Vec::new(),
                })
                .collect();
            subnet.bonds = epoch(&subnet.params, &subnet.state()).bonds;
        }
        subnet
    }

    fn state(&self) -> State<'_> {
        State {
            block: BLOCK,
            last_mechanism_step_block: BLOCK - u64::from(TEMPO),
            epoch_index: 10,
            rao_emission: 295_200_000_000,
            alpha_stake: &self.alpha_stake,
            tao_stake: &self.tao_stake,
            last_update: &self.last_update,
            block_at_registration: &self.block_at_registration,
            weights: &self.weights,
            bonds: &self.bonds,
            validator_permit: &self.validator_permit,
            commits: &[],
            timelocked_commits: &[],
        }
    }
}

/// What a validator thinks of the miners: their quality, with noise.
fn opinion(quality: &[u64], dense: bool, random: &mut Random) -> Vec<(u16, u16)> {
    let mut row = Vec::new();
    for (target, quality) in (0..).zip(quality) {
        let serves = dense || target % 8 == 0;
        if serves && (dense || random.below(10) < 8) {
            let weight = quality + 1 + random.below(15_000);
            row.push((target, weight.try_into().expect("at most 65000")));
        }
    }
    row
}

fn params(case: Case) -> Params {
    Params {
        n: case.uids,
        tempo: TEMPO,
        activity_cutoff_factor_milli: 13_889,
        kappa: 32_767,
        bonds_moving_average: 900_000,
        bonds_penalty: 65_535,
        yuma3: case.rules != Rules::Yuma1,
        liquid_alpha: (case.rules == Rules::Liquid).then_some(LiquidAlpha {
            low: 45_875,
            high: 58_982,
            steepness: 1_000,
        }),
        max_allowed_validators: case.validators,
        stake_threshold: 0,
        tao_weight: 3_320_413_933_267_719_290,
        commit_reveal: false,
        reveal_period: 1,
        owner_uid: Some(0),
    }
}

/// A xorshift generator, for states that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
