//! The report as tables that also are Markdown, so that they can stand in a document as they are printed.

use athanor_scoring::evidence::{bounds::Quantile, power::Wait};

use super::{OpeningsRow, Report};

/// Prints the report on standard output.
pub(super) fn print(report: &Report) {
    println!(
        "`{}`\n\nTable {} (C = {:.0}, b = {:.3}); a hotkey is condemned at {:.0e}. Every bound is wrong with probability {} at most.\n",
        report.command,
        &report.calibration[..8],
        report.cap,
        report.normaliser,
        report.condemned_at,
        report.delta,
    );
    honest(report);
    forgers(report);
    openings(report);
    steering(report);
    println!("Not detected:\n");
    for line in &report.unseen {
        println!("- {line}");
    }
}

fn honest(report: &Report) {
    println!(
        "| honest | requests | tokens | not the replay's draw | mean e' (at most) | largest e' | requests over 1e6 (share at most) | lives condemned (share at most) | highest W |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in &report.honest {
        let it = &row.honest;
        println!(
            "| {} | {} | {} | {:.3} % | {:.3} ({:.3}) | {:.1} | {} ({:.2e}) | {} of {} ({:.2}) | {:.2} |",
            row.name,
            it.requests,
            it.tokens,
            100.0 * it.mismatched,
            it.mean_e_value,
            it.mean_high,
            it.largest_e_value,
            it.flagged,
            it.flagged_high,
            it.condemned,
            it.lives,
            it.condemned_high,
            it.highest,
        );
    }
    println!();
}

fn forgers(report: &Report) {
    println!(
        "| forger | requests | not the replay's draw | mean e' | tokens to 1e6: median (between) | p99 | power 0.99 by | goal | within the goal (power at least) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in &report.forgers {
        let wait = &row.tokens;
        println!(
            "| {} | {} | {:.2} % | {:.2} | {} | {} | {} | {} | {} of {} ({:.3}) |",
            row.name,
            row.requests,
            100.0 * row.mismatched,
            row.mean_e_value,
            median(wait),
            shown(wait.p99.value, wait),
            enough(&wait.p99, wait),
            row.goal,
            wait.done,
            wait.runs,
            wait.power_low,
        );
    }
    println!();
}

fn openings(report: &Report) {
    let Some(first) = report.forgers.first() else {
        return;
    };
    let head = |row: &OpeningsRow| match row.honest_first {
        0 => format!("{:.0} % of the openings", 100.0 * row.share),
        past => format!("all after {past} honest ones"),
    };
    let heads: Vec<String> = first.openings.iter().map(head).collect();
    println!(
        "| openings to a verdict: median / p99 / power 0.99 by | {} |",
        heads.join(" | ")
    );
    println!("|---|{}", "---|".repeat(heads.len()));
    for row in &report.forgers {
        let cells: Vec<String> = row
            .openings
            .iter()
            .map(|OpeningsRow { openings: wait, .. }| {
                format!(
                    "{} / {} / {}",
                    shown(wait.median.value, wait),
                    shown(wait.p99.value, wait),
                    enough(&wait.p99, wait)
                )
            })
            .collect();
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
    println!();
}

fn steering(report: &Report) {
    println!(
        "| steering between the two best tokens | bits per token | mean e' | tokens to 1e6, median | found within 20,000 |"
    );
    println!("|---|---|---|---|---|");
    for row in &report.steering {
        let wait = &row.tokens;
        println!(
            "| {} | {:.4} | {:.3} | {} | {} of {} |",
            row.name,
            row.bits_per_token,
            row.mean_e_value,
            shown(wait.median.value, wait),
            wait.done,
            wait.runs,
        );
    }
    println!();
}

fn median(wait: &Wait) -> String {
    format!(
        "{} ({} to {})",
        shown(wait.median.value, wait),
        shown(wait.median.low, wait),
        shown(wait.median.high, wait)
    )
}

fn shown(value: Option<u64>, wait: &Wait) -> String {
    match value {
        Some(value) => value.to_string(),
        None if wait.runs == 0 => "-".to_owned(),
        None => format!("over {}", wait.limit),
    }
}

/// Where the power is 0.99: not known if too many runs were given up, or there are too few of them to say.
fn enough(p99: &Quantile, wait: &Wait) -> String {
    match p99.high {
        Some(value) => value.to_string(),
        None if wait.done == wait.runs => "too few runs".to_owned(),
        None => format!("over {}", wait.limit),
    }
}
