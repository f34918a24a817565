//! Numbers and words that fit their columns.

use std::time::Duration;

use athanor_spec::{Rao, telemetry::GradeSummary};

/// An amount in TAO in at most `width` columns (six or more), with up to four decimals, cut and not rounded.
pub(super) fn amount(amount: Rao, width: usize) -> String {
    let whole = (amount.0 / Rao::PER_TAO).to_string();
    let cut = |text: String, unit: &str| format!("{text}{unit}");
    if whole.len() > width {
        return match whole.len() {
            ..=9 => cut(whole[..whole.len() - 3].to_owned(), "k"),
            _ => cut(whole[..whole.len() - 6].to_owned(), "M"),
        };
    }
    let room = width.saturating_sub(whole.len() + 1).min(4);
    if room == 0 {
        return whole;
    }
    let part = format!("{:09}", amount.0 % Rao::PER_TAO);
    format!("{whole}.{}", &part[..room])
}

/// A figure in [0, 1] in four columns.
pub(super) fn unit(value: f64) -> String {
    if value >= 0.9995 {
        "1.00".to_owned()
    } else {
        format!("{value:.3}").trim_start_matches('0').to_owned()
    }
}

/// The quality that a grade is paid by, in four columns: a fault is paid by none.
pub(super) fn paid(grade: &GradeSummary) -> String {
    match grade.fault {
        Some(_) => "none".to_owned(),
        None => unit(grade.quality_low),
    }
}

/// A share of 65,535 in percent, in five columns.
pub(super) fn percent(share: u16) -> String {
    if share == 0 {
        "0".to_owned()
    } else {
        crate::table::percent(share)
    }
}

/// A span of time, to the second, or to the tenth below ten seconds.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The text in at most `width` columns, with an ellipsis where it was cut.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// First shown row of a list of `count` rows in `room`, so that the selected one is in sight.
pub(super) fn first_row(selected: usize, room: usize, count: usize) -> usize {
    if count <= room {
        return 0;
    }
    // About the middle, so that what is around it is in sight too.
    selected.saturating_sub(room / 2).min(count - room)
}

/// A number of milliseconds in at most six columns.
pub(super) fn millis(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.1} ms"),
        10.0..1000.0 => format!("{value:.0} ms"),
        1000.0..60_000.0 => format!("{:.1} s", value / 1000.0),
        _ => format!("{:.0} s", value / 1000.0),
    }
}

/// A probability or an e-value: plain where it is readable so.
pub(super) fn scientific(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        0.001..10_000.0 => format!("{value:.3}"),
        _ if value.is_finite() => format!("{value:.1e}"),
        _ => "inf".to_owned(),
    }
}

/// A difference with its sign; one that is cut to nothing has none.
pub(super) fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    match text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        true => text,
        false => text[1..].to_owned(),
    }
}

/// A share of 65,535 in [0, 1], three decimals.
pub(super) fn share(part: u16) -> String {
    format!("{:.3}", f64::from(part) / f64::from(u16::MAX))
}

/// What a fault's stable name says, for whoever meets it for the first time.
pub(super) fn meaning(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "wrong_checkpoint" => "its answers are not the draws of the model that it committed to",
        "copy" => "its model is another miner's, who committed to it earlier",
        "degenerate" => "its model repeats itself or never ends",
        "bad_artifact" => "its model's files are not what it committed to, or break a bound",
        "no_commitment" => "it has committed to no model",
        "bad_answer" => "its answers break the protocol",
        _ => return None,
    })
}

/// A fault's stable name in at most ten columns.
pub(super) fn fault(kind: &str) -> String {
    match kind {
        "wrong_checkpoint" => "wrong ckpt".to_owned(),
        "bad_artifact" => "bad files".to_owned(),
        "no_commitment" => "no commit".to_owned(),
        other => cut(&other.replace('_', " "), 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rao: u64, width: usize, expected: &str) {
        let text = amount(Rao(rao), width);
        assert_eq!(text, expected);
        assert!(text.len() <= width);
    }

    #[test]
    fn amounts_fit_their_column_and_never_round_up() {
        check(0, 7, "0.0000");
        check(1_999_999_999, 7, "1.9999");
        check(123_456_789_999, 7, "123.456");
        check(123_456_000_000_000, 7, "123456");
        check(12_345_678_000_000_000, 7, "12345k");
        check(u64::MAX, 7, "18446M");
    }

    #[test]
    fn figures_of_the_unit_interval_take_four_columns() {
        for (value, expected) in [
            (0.0, ".000"),
            (0.5, ".500"),
            (0.9994, ".999"),
            (0.9996, "1.00"),
            (1.0, "1.00"),
        ] {
            assert_eq!(unit(value), expected);
        }
    }

    #[test]
    fn what_is_no_difference_has_no_sign() {
        for (value, expected) in [
            (-0.004, "0.00"),
            (0.0, "0.00"),
            (1.25, "+1.25"),
            (-3.1, "-3.10"),
        ] {
            assert_eq!(signed(value, 2), expected);
        }
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("degenerate", 10), "degenerate");
        assert_eq!(cut("degenerates", 10), "degenerat…");
        assert_eq!(fault("wrong_checkpoint"), "wrong ckpt");
        assert_eq!(fault("bad_answer"), "bad answer");
    }

    #[test]
    fn time_is_as_precise_as_a_person_needs() {
        for (millis, expected) in [
            (900, "0.9 s"),
            (59_900, "59 s"),
            (150_000, "2 min 30 s"),
            (4_320_000, "72 min 00 s"),
            (7_260_000, "2 h 01 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }
}
