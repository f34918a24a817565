//! Tests of the population on students with random weights, whose tokens are close to even.

use super::*;
use crate::random_models::write;

fn args(folder: &Path) -> ObserveArgs {
    let student = |name: &str, seed, layers| {
        let dir = folder.join(name);
        write(&dir, seed, layers);
        dir
    };
    ObserveArgs {
        teacher: student("teacher", 1, 3),
        students: vec![
            student("first", 2, 2),
            student("second", 3, 2),
            student("small", 4, 1),
        ],
        requests: 12,
        forged: 12,
        noise: 0.02,
        seed: 1,
        served_by: vec![DeviceChoice::Cpu, DeviceChoice::Flex],
        device: DeviceChoice::Cpu,
        records: Some(folder.join("records")),
    }
}

fn mismatches(observed: &[Observed], wanted: impl Fn(Kind) -> bool) -> (usize, usize) {
    let tokens = observed.iter().filter(|it| wanted(it.kind));
    let tokens: Vec<f32> = tokens
        .flat_map(|it| it.requests.iter().flatten().map(|token| token.margin))
        .collect();
    let other = tokens.iter().filter(|margin| **margin > 0.0).count();
    (other, tokens.len())
}

#[test]
fn honest_servers_draw_what_the_replay_draws_and_forgers_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path());
    let population = Population::open(&args).unwrap();
    let observed = population.observe_all().unwrap();
    let own = |kind: Kind| {
        matches!(kind, Kind::Honest(honest)
            if honest.device == DeviceChoice::Cpu && honest.weights == WeightFormat::F32 && honest.noise == 0.0)
    };
    let (other, tokens) = mismatches(&observed, own);
    // Batches of 1, 4 and 8, and long prompts: four requests of each of three students.
    assert!(tokens > 4 * 3 * 4 * 4, "{tokens} tokens");
    assert_eq!(
        other, 0,
        "our own kernels give the same bits whatever the batch"
    );
    for kind in observed.iter().map(|it| it.kind) {
        let (other, tokens) = mismatches(&observed, |it| it == kind);
        let share = other as f64 / tokens as f64;
        match kind {
            Kind::Honest(_) => assert!(share < 0.1, "{}: {share}", kind.name()),
            Kind::Forger(Forger::IgnoredSeed | Forger::Constant | Forger::Teacher) => {
                assert!(share > 0.2, "{}: {share}", kind.name());
            }
            Kind::Forger(_) => {}
        }
    }
    // The small student has no smaller one, and no sibling.
    let of = |forger| {
        let of = observed.iter().filter(|it| it.kind == Kind::Forger(forger));
        of.map(|it| it.student).collect::<Vec<_>>()
    };
    assert_eq!(of(Forger::Smaller), [0, 1]);
    assert_eq!(of(Forger::Sibling), [0, 1]);
    assert_eq!(of(Forger::FourBit), [0, 1, 2]);
}

#[test]
fn what_was_kept_is_not_computed_again_and_another_seed_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = args(folder.path());
    args.served_by = vec![DeviceChoice::Cpu];
    args.students.truncate(1);
    let population = Population::open(&args).unwrap();
    let kind = Kind::Forger(Forger::IgnoredSeed);
    let mut computed = 0;
    let first = population.observe(kind, 0, &mut computed).unwrap().unwrap();
    let again = population.observe(kind, 0, &mut computed).unwrap().unwrap();
    assert_eq!((computed, &first), (1, &again));
    args.seed = 2;
    let population = Population::open(&args).unwrap();
    let other = population.observe(kind, 0, &mut computed).unwrap().unwrap();
    assert_eq!(computed, 2);
    assert_ne!(first, other, "another seed asks something else");
}

#[test]
fn long_prompts_are_long_and_fit() {
    let folder = tempfile::tempdir().unwrap();
    let population = Population::open(&args(folder.path())).unwrap();
    let most = population.spec.limits.max_prompt_tokens as usize;
    for kind in population.honest() {
        let asks = population.asks(&[7; 32], 20, Kind::Honest(kind));
        for ask in asks {
            assert!(ask.prompt.len() <= most && ask.temperature_milli > 0);
            if kind.context == Context::Long {
                assert!(ask.prompt.len() >= most * 3 / 4, "{}", ask.prompt.len());
            }
        }
    }
}
