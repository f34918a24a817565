//! Plots of reports.

use super::{
    Plot,
    runs::Report,
    svg::{Chart, Series},
};

/// Shares of pay over epochs, for each spec and side, and what groups earn over the honest, spec by spec.
pub(super) fn of_reports(reports: &[Report]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for (number, report) in reports.iter().enumerate() {
        for side in ["miner", "validator"] {
            let series = report.groups.iter().filter(|group| group.side == side);
            let chart = Chart {
                title: format!("Pay of {side}s: {}", report.spec),
                x: "epoch".to_owned(),
                y: format!("share of all {side}s' pay"),
                series: series
                    .map(|group| Series {
                        name: group.name.clone(),
                        points: group.shares.clone(),
                        bounds: Vec::new(),
                    })
                    .collect(),
            };
            plots.push((format!("pay-{side}s-{}.svg", number + 1), chart.svg()));
        }
    }
    if reports.len() > 1 {
        let groups = reports.first().map_or(&[][..], |report| &report.groups);
        let of_group = |index: usize| {
            let intervals = reports
                .iter()
                .map(|report| report.groups[index].over_honest.unwrap_or_default());
            let (points, bounds) = (1_u32..)
                .zip(intervals)
                .map(|(number, it)| ((f64::from(number), it.mean), (it.low, it.high)))
                .unzip();
            Series {
                name: groups[index].name.clone(),
                points,
                bounds,
            }
        };
        let names: Vec<&str> = reports.iter().map(|report| report.spec.as_str()).collect();
        let chart = Chart {
            title: "Earned over honest at equal cost, spec by spec".to_owned(),
            x: names.join(" | "),
            y: "earned over honest".to_owned(),
            series: (0..groups.len()).map(of_group).collect(),
        };
        plots.push(("over-honest.svg".to_owned(), chart.svg()));
    }
    plots
}
