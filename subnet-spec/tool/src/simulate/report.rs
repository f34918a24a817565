//! Reports as tables for people and as rows for spreadsheets.

use std::fmt::Write as _;

use athanor_scoring::simulation::Interval;

use super::runs::Report;

/// One table for each spec, and one line per group with the specs side by side where there are several.
pub(super) fn table(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        one(&mut text, report);
    }
    if reports.len() > 1 {
        beside(&mut text, reports);
    }
    text.trim_end().to_owned()
}

fn one(text: &mut String, report: &Report) {
    let runs = report.gini.map_or(0, |it| it.runs);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        text,
        "{} ({}): {} epochs, {runs} runs, bounds of 95 %\n\n{:<26}{:>7}  {:<26}{:<26}{:>8}  {:<20}paid after",
        report.spec,
        &report.digest[..report.digest.len().min(8)],
        report.epochs,
        "group",
        "members",
        "alpha per member, epoch",
        "over honest at equal cost",
        "accused",
        "epochs to that",
    );
    for group in &report.groups {
        let _ = writeln!(
            text,
            "{:<26}{:>7}  {:<26}{:<26}{:>6.0} %  {:<20}{}",
            group.name,
            group.members,
            told(group.earned, 4),
            told(group.over_honest, 3),
            100.0 * group.accused,
            told(group.detection, 1),
            told(group.paid_after, 1),
        );
    }
    let _ = writeln!(
        text,
        "\nhonest miners accused by honest validators: {} of {} pairs (at most {:.2e})",
        report.false_accusations,
        report.honest_pairs,
        at_most(report.false_accusations, report.honest_pairs),
    );
    let _ = writeln!(
        text,
        "miners' pay: Gini {}, Nakamoto {}, burned {}; validator trust of the honest {}",
        told(report.gini, 3),
        told(report.nakamoto, 1),
        told(report.burned, 3),
        told(report.honest_trust, 3),
    );
    let _ = writeln!(
        text,
        "{:.2} s a run, and {:.2} s for the collusion tests of the first",
        report.seconds, report.battery_seconds
    );
    for finding in &report.findings {
        let _ = writeln!(text, "  {finding}");
    }
    text.push('\n');
}

fn beside(text: &mut String, reports: &[Report]) {
    let _ = writeln!(text, "over honest at equal cost, spec by spec");
    for (number, report) in reports.iter().enumerate() {
        let _ = writeln!(text, "  ({}) {}", number + 1, report.spec);
    }
    let _ = write!(text, "\n{:<26}", "group");
    for number in 1..=reports.len() {
        let _ = write!(text, "{:<26}", format!("({number})"));
    }
    text.push('\n');
    let groups = reports.first().map_or(&[][..], |report| &report.groups);
    for (index, group) in groups.iter().enumerate() {
        let _ = write!(text, "{:<26}", group.name);
        for report in reports {
            let _ = write!(text, "{:<26}", told(report.groups[index].over_honest, 3));
        }
        text.push('\n');
    }
    for (name, of) in [
        (
            "Gini",
            (|it: &Report| it.gini) as fn(&Report) -> Option<Interval>,
        ),
        ("Nakamoto", |it| it.nakamoto),
        ("burned", |it| it.burned),
        ("trust of the honest", |it| it.honest_trust),
    ] {
        let _ = write!(text, "{name:<26}");
        for report in reports {
            let _ = write!(text, "{:<26}", told(of(report), 3));
        }
        text.push('\n');
    }
}

/// A mean with its bounds, `-` where nothing was measured.
pub(super) fn told(it: Option<Interval>, digits: usize) -> String {
    match it {
        None => "-".to_owned(),
        Some(it) if it.runs < 2 => format!("{:.digits$}", it.mean),
        Some(it) => format!(
            "{:.digits$} [{:.digits$}, {:.digits$}]",
            it.mean, it.low, it.high
        ),
    }
}

/// Upper bound at 95 % of a share of which `hits` of `trials` were seen (Clopper-Pearson).
fn at_most(hits: u64, trials: u64) -> f64 {
    athanor_scoring::evidence::bounds::clopper_pearson_upper(hits, trials, 0.05)
}

/// One row per spec and group.
pub(super) fn csv(reports: &[Report]) -> String {
    let mut text = "spec,digest,epochs,group,behaviour,side,members,earned,earned_low,earned_high,over_honest,\
                    over_honest_low,over_honest_high,accused,detection,paid_after,gini,nakamoto,burned,\
                    false_accusations"
        .to_owned();
    let cell = |it: Option<f64>| it.map_or_else(String::new, |it| it.to_string());
    for report in reports {
        for group in &report.groups {
            let mean = |it: Option<Interval>| cell(it.map(|it| it.mean));
            let low = |it: Option<Interval>| cell(it.map(|it| it.low));
            let high = |it: Option<Interval>| cell(it.map(|it| it.high));
            let cells = [
                quoted(&report.spec),
                report.digest.clone(),
                report.epochs.to_string(),
                quoted(&group.name),
                group.behaviour.clone(),
                group.side.to_owned(),
                group.members.to_string(),
                mean(group.earned),
                low(group.earned),
                high(group.earned),
                mean(group.over_honest),
                low(group.over_honest),
                high(group.over_honest),
                group.accused.to_string(),
                mean(group.detection),
                mean(group.paid_after),
                mean(report.gini),
                mean(report.nakamoto),
                mean(report.burned),
                report.false_accusations.to_string(),
            ];
            text.push('\n');
            text.push_str(&cells.join(","));
        }
    }
    text
}

/// A text that may hold commas and quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
