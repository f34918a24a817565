//! Tests of the spec's parsing, checks and digest.

use super::*;

fn check_refused(from: &str, to: &str, expected: &str) {
    assert!(
        SubnetSpec::DEFAULT_TOML.contains(from),
        "`{from}` is not in the default spec"
    );
    let text = SubnetSpec::DEFAULT_TOML.replacen(from, to, 1);
    let error = SubnetSpec::from_toml(&text).unwrap_err().to_string();
    assert!(
        error.contains(expected),
        "`{error}` does not mention `{expected}`"
    );
}

#[test]
fn the_default_spec_is_valid_and_its_digest_survives_a_round_trip() {
    let spec = SubnetSpec::from_toml(SubnetSpec::DEFAULT_TOML).unwrap();
    let again = SubnetSpec::from_toml(&toml::to_string(&spec).unwrap()).unwrap();
    assert_eq!(spec, again);
    assert_eq!(spec.digest(), again.digest());
}

#[test]
fn comments_do_not_change_the_digest_and_values_do() {
    let spec = SubnetSpec::local();
    let commented = format!("# a comment\n{}", SubnetSpec::DEFAULT_TOML);
    assert_eq!(
        SubnetSpec::from_toml(&commented).unwrap().digest(),
        spec.digest()
    );
    let mut other = spec.clone();
    other.round.asks_per_miner += 1;
    assert_ne!(other.digest(), spec.digest());
}

#[test]
fn unknown_keys_are_refused_by_name() {
    check_refused("[round]", "[round]\nasks_per_minor = 3", "asks_per_minor");
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    check_refused("kl_skew = 0.1", "kl_skew = 1.0", "grade.kl_skew");
    check_refused("alpha = 1e-6", "alpha = 0.5", "audit.alpha");
    check_refused("exponent = 2.0", "exponent = 9.0", "allocation.exponent");
}

#[test]
fn contradictions_are_refused_with_both_names() {
    check_refused(
        "max_prompt_tokens = 192",
        "max_prompt_tokens = 8",
        "round.continuation_prompt_tokens",
    );
    check_refused(
        "max_new_tokens = 64",
        "max_new_tokens = 2",
        "limits.max_new_tokens",
    );
}
