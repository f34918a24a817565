//! Tests of the spec's parsing, checks, digest and table of keys.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn check_refused(from: &str, to: &str, expected: &[&str]) {
    assert!(
        SubnetSpec::DEFAULT_TOML.contains(from),
        "`{from}` is not in the default spec"
    );
    let text = SubnetSpec::DEFAULT_TOML.replacen(from, to, 1);
    let at = text.find(to).unwrap();
    let error = SubnetSpec::from_toml(&text).unwrap_err();
    // Whatever is wrong is pointed at where it was put in.
    let line = Position::of(&text, at).line;
    let found = error.position.unwrap();
    assert!(
        (line..=line + to.matches('\n').count()).contains(&found.line),
        "{error} is not in line {line}"
    );
    let error = error.to_string();
    assert!(error.starts_with(&format!("{found}: ")), "{error}");
    for expected in expected {
        assert!(
            error.contains(expected),
            "`{error}` does not mention `{expected}`"
        );
    }
}

#[test]
fn the_default_spec_is_valid_and_its_digest_survives_a_round_trip() {
    let spec = SubnetSpec::from_toml(SubnetSpec::DEFAULT_TOML).unwrap();
    for text in [spec.to_toml(), spec.to_commented_toml()] {
        let again = SubnetSpec::from_toml(&text).unwrap();
        assert_eq!(spec, again);
        assert_eq!(spec.digest(), again.digest());
    }
}

#[test]
fn the_file_that_ships_is_what_the_table_of_keys_writes() {
    let written = SubnetSpec::shipped().to_commented_toml();
    assert!(
        written == SubnetSpec::DEFAULT_TOML,
        "write it anew: athanor-subnet new NEW --from subnet-spec/subnet.toml, then move NEW there\n{written}"
    );
    let longest = written.lines().map(|line| line.chars().count()).max();
    assert!(longest.unwrap() <= 120);
}

#[test]
fn the_local_spec_differs_from_the_one_that_ships_in_what_it_says() {
    let differences = diff(&SubnetSpec::shipped(), &SubnetSpec::local());
    let differ: BTreeSet<&str> = differences.iter().map(|it| it.key).collect();
    let said: BTreeSet<&str> = SubnetSpec::LOCAL.iter().map(|(path, _)| *path).collect();
    assert_eq!(differ, said);
}

#[test]
fn the_table_has_every_key_of_a_spec_and_no_other() {
    fn flatten(prefix: &str, table: &Table, found: &mut BTreeSet<String>) {
        for (name, value) in table {
            match value.as_table() {
                Some(below) => flatten(&format!("{prefix}{name}."), below, found),
                None => assert!(found.insert(format!("{prefix}{name}"))),
            }
        }
    }
    let mut found = BTreeSet::new();
    flatten("", &SubnetSpec::local().table(), &mut found);
    let known: BTreeSet<String> = keys().iter().map(|key| key.path.clone()).collect();
    assert_eq!(found, known);
    assert_eq!(known.len(), keys().len(), "a key stands twice");
    let families = TaskParams::ROWS
        .iter()
        .filter(|row| row.range == Range::Family);
    let named = SubnetSpec::local().tasks.families().map(|(name, _)| name);
    assert!(families.map(|row| row.name).eq(named));
}

#[test]
fn every_key_says_what_it_is_why_and_whom_it_pays() {
    for key in keys() {
        let path = &key.path;
        assert!(
            key.meaning.ends_with('.') && key.meaning.len() > 12,
            "{path}"
        );
        assert!(key.reason.ends_with('.') && key.reason.len() > 20, "{path}");
        let (raised, lowered) = match key.pay {
            Pay::Moves { raised, lowered } => (raised, lowered),
            Pay::Shifts(how) | Pay::Nobody(how) => {
                assert!(how.ends_with('.'), "{path}");
                continue;
            }
        };
        assert!(
            !raised.is_empty() && !lowered.is_empty() && raised != lowered,
            "{path}"
        );
    }
}

#[test]
fn comments_do_not_change_the_digest_and_every_value_does() {
    let spec = SubnetSpec::shipped();
    let commented = format!("# a comment\n{}", SubnetSpec::DEFAULT_TOML);
    assert_eq!(
        SubnetSpec::from_toml(&commented).unwrap().digest(),
        spec.digest()
    );
    let mut digests = BTreeSet::from([spec.digest()]);
    for (key, value) in [
        ("subnet.name", "other"),
        ("round.asks_per_miner", "25"),
        ("allocation.curve", "\"top_k\""),
        ("allocation.burn_unearned", "false"),
        ("tasks.sort.weight", "2.5"),
        ("tasks.sort.length", "[5, 8]"),
        ("audit.dishonest_shares", "[0.5]"),
    ] {
        let other = spec.with(key, value).unwrap();
        assert!(digests.insert(other.digest()), "{key}");
        let differences = diff(&spec, &other);
        assert_eq!(differences.len(), 1, "{key}");
        assert_eq!(differences[0].key, key);
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let nearest = |name: &str| nearest(name).map(|key| key.path.as_str());
    check_refused(
        "[round]",
        "[round]\nasks_per_minor = 3",
        &[
            "`round.asks_per_minor`",
            "the nearest is `round.asks_per_miner`",
        ],
    );
    check_refused("[audit]", "[audits]", &["`audits`"]);
    check_refused(
        "sort = { weight = 1.0,",
        "sort = { wieght = 2.0, weight = 1.0,",
        &["`tasks.sort.wieght`", "`tasks.sort.weight`"],
    );
    // In another section, and in none.
    assert_eq!(nearest("round.kl_skew"), Some("grade.kl_skew"));
    assert_eq!(nearest("ttft_ms"), Some("service.ttft_ms"));
    assert_eq!(nearest("round.zzzzzzzz"), None);
}

#[test]
fn missing_keys_wrong_types_and_broken_files_are_refused_with_their_place() {
    check_refused(
        "netuid = 1",
        "netuid = \"one\"",
        &["`subnet.netuid` is a whole number", "string"],
    );
    let shipped = SubnetSpec::shipped();
    for key in keys() {
        let (section, name) = key.path.rsplit_once('.').unwrap();
        if section.contains('.') {
            continue;
        }
        let lines: Vec<&str> = SubnetSpec::DEFAULT_TOML
            .lines()
            .filter(|line| !line.starts_with(&format!("{name} = ")))
            .collect();
        let error = SubnetSpec::from_toml(&lines.join("\n")).unwrap_err();
        assert!(error.position.is_some(), "{error}");
        let fault = SpecFault::Missing { key };
        assert_eq!(error.fault, fault, "{}", shipped.value(&key.path).unwrap());
    }
    let error = SubnetSpec::from_toml("").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("1:1: `subnet.name` is missing"),
        "{error}"
    );
}

#[test]
fn values_out_of_range_are_refused_with_name_place_and_range() {
    check_refused(
        "kl_skew = 0.1",
        "kl_skew = 1.0",
        &["`grade.kl_skew` is 1.0", "between 0 and 1, both excluded"],
    );
    check_refused(
        "alpha = 0.000001",
        "alpha = 0.5",
        &["audit.alpha", "at most 0.05"],
    );
    check_refused("exponent = 2.0", "exponent = nan", &["allocation.exponent"]);
    check_refused(
        "max_chunk_bytes = 262144",
        "max_chunk_bytes = 1000",
        &["limits.max_chunk_bytes", "multiple of 1024"],
    );
    check_refused(
        "curve = \"proportional\"",
        "curve = \"crwn\"",
        &[
            "allocation.curve",
            "\"proportional\", \"top_k\" or \"crown\"",
        ],
    );
    check_refused("length = [6, 8]", "length = [8, 6]", &["tasks.copy.length"]);
    check_refused("netuid = 1", "netuid = -1", &["subnet.netuid"]);
    check_refused(
        "temperatures_milli = [600, 800, 1000]",
        "temperatures_milli = []",
        &["at least one"],
    );
    let opened = "round.opening_share";
    check_refused("opening_share = 1.0", "opening_share = 0.0", &[opened]);
    check_refused("opening_share = 1.0", "opening_share = 1.1", &[opened]);
}

#[test]
fn contradictions_are_refused_with_both_names() {
    check_refused(
        "continuation_prompt_tokens = [16, 48]",
        "continuation_prompt_tokens = [16, 480]",
        &[
            "round.continuation_prompt_tokens",
            "limits.max_prompt_tokens",
        ],
    );
    check_refused(
        "continuation_new_tokens = [12, 32]",
        "continuation_new_tokens = [12, 320]",
        &["round.continuation_new_tokens", "limits.max_new_tokens"],
    );
    check_refused(
        "load_probes = 2",
        "load_probes = 20",
        &["round.asks_per_miner"],
    );
    check_refused(
        "protocol_version = 3",
        "protocol_version = 4",
        &["is 4", "speaks version 3"],
    );
}

#[test]
fn a_value_is_set_by_name_and_the_whole_is_checked() {
    let spec = SubnetSpec::local();
    let refused = |key: &str, value: &str| spec.with(key, value).unwrap_err().to_string();
    assert_eq!(
        spec.with("allocation.exponent", "1")
            .unwrap()
            .allocation
            .exponent,
        1.0
    );
    assert!(spec.with("allocation.curve", "proportional").is_ok());
    assert!(refused("allocation.exponant", "1").contains("allocation.exponent"));
    assert!(refused("allocation.exponent", "high").contains("a number"));
    assert!(refused("allocation.exponent", "9").contains("at most 4"));
    assert!(refused("round.asks_per_miner", "1").contains("load probes"));
    assert!(refused("subnet.netuid", "1\nx = 3").contains("whole number"));
}

#[test]
fn a_difference_says_who_gains_and_who_loses_in_either_direction() {
    let spec = SubnetSpec::local();
    let steep = spec.with("allocation.exponent", "3").unwrap();
    let (up, down) = (diff(&spec, &steep), diff(&steep, &spec));
    assert_eq!((up[0].raised, down[0].raised), (Some(true), Some(false)));
    assert_eq!(up[0].gains, Some("the best miners"));
    assert_eq!((up[0].gains, up[0].loses), (down[0].loses, down[0].gains));
    let longer = spec
        .with("round.continuation_new_tokens", "[12, 40]")
        .unwrap();
    assert_eq!(diff(&spec, &longer)[0].raised, Some(true));
    let wider = spec
        .with("round.continuation_new_tokens", "[8, 40]")
        .unwrap();
    assert_eq!(diff(&spec, &wider)[0].raised, None);
    assert!(diff(&spec, &wider)[0].note.is_some());
    assert_eq!(diff(&spec, &spec), []);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = SubnetSpec::from_toml(&text);
    }

    #[test]
    fn whatever_one_value_becomes_it_is_read_back_or_refused_with_its_place(
        index in any::<prop::sample::Index>(),
        value in prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "[a-z]{0,9}".prop_map(Value::from),
            prop::collection::vec(0_i64..2000, 0..4).prop_map(Value::from),
        ],
    ) {
        let key = &keys()[index.index(keys().len())];
        let mut table = SubnetSpec::local().table();
        reading::put(&mut table, &key.path, value);
        let text = toml::to_string(&table).unwrap();
        match SubnetSpec::from_toml(&text) {
            Ok(spec) => prop_assert_eq!(SubnetSpec::from_toml(&spec.to_toml()).unwrap(), spec),
            Err(error) => prop_assert!(error.position.is_some(), "{}", error),
        }
    }
}
