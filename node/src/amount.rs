//! Amounts of TAO as people write and read them.

use athanor_spec::Rao;

/// Digits after the point: a rao is a billionth of a TAO.
const DIGITS: usize = 9;

/// An amount in TAO, with up to nine digits after the point.
pub(crate) fn parse(text: &str) -> Result<Rao, String> {
    let wrong = || format!("`{text}` is not an amount of TAO such as 0.5");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || fraction.len() > DIGITS {
        return Err(wrong());
    }
    // Without the point, nine digits further on, it is the amount in rao.
    let digits = format!("{whole}{fraction:0<DIGITS$}");
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    digits.parse().map(Rao).map_err(|_| wrong())
}

/// The amount in TAO, exact, without zeros at the end.
pub(crate) fn write(amount: Rao) -> String {
    let text = amount.to_string();
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_to_the_last_rao_and_nothing_else_is() {
        assert_eq!(parse("1"), Ok(Rao(1_000_000_000)));
        assert_eq!(parse("0.5"), Ok(Rao(500_000_000)));
        assert_eq!(parse("12.000000001"), Ok(Rao(12_000_000_001)));
        for text in [
            "",
            ".",
            ".5",
            "-1",
            "+1",
            "1e9",
            "1.0000000001",
            "1,5",
            "18446744074",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("TAO"), "{text}: {error}");
        }
    }

    #[test]
    fn zeros_at_the_end_are_left_out() {
        assert_eq!(write(Rao(0)), "0");
        assert_eq!(write(Rao(100_000_000_000)), "100");
        assert_eq!(write(Rao(1_500_000_000)), "1.5");
        assert_eq!(write(Rao(99_615_658)), "0.099615658");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(amount: u64) {
            prop_assert_eq!(parse(&write(Rao(amount))), Ok(Rao(amount)));
        }
    }
}
