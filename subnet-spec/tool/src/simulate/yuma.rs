//! The published behaviour of Yuma, printed and plotted.

use std::fmt::Write as _;

use athanor_scoring::simulation::published::{Bonds, Move, cartel};
use serde::Serialize;

use super::{
    Plot,
    svg::{Chart, Series},
};

/// Epochs of a bond scenario.
const EPOCHS: u64 = 40;
/// Majorities that cartels are held against.
const KAPPAS: [f64; 2] = [0.5, 0.6];

/// What the scenarios gave.
#[derive(Serialize)]
pub(super) struct Scenarios {
    cartels: Vec<Cartels>,
    moves: Vec<Moves>,
}

#[derive(Serialize)]
struct Cartels {
    kappa: f64,
    /// Share of the stake, and of the incentive.
    points: Vec<(f64, f64)>,
}

#[derive(Serialize)]
struct Moves {
    name: &'static str,
    bonds: Bonds,
    /// Dividends per stake of the large and the two small validators, by epoch.
    dividends: Vec<[f64; 3]>,
}

/// Runs them all.
pub(super) fn scenarios() -> Scenarios {
    let cartels = KAPPAS
        .into_iter()
        .map(|kappa| Cartels {
            kappa,
            points: (1..100)
                .map(|percent| f64::from(percent) / 100.0)
                .map(|stake| (stake, cartel(stake, kappa)))
                .collect(),
        })
        .collect();
    let moves = Move::ALL
        .into_iter()
        .flat_map(|of| {
            Bonds::ALL.into_iter().map(move |bonds| Moves {
                name: of.name,
                bonds,
                dividends: of.dividends(bonds, EPOCHS),
            })
        })
        .collect();
    Scenarios { cartels, moves }
}

/// The scenarios in few lines.
pub(super) fn table(scenarios: &Scenarios) -> String {
    let mut text = "incentive of a cartel's miner, by the cartel's share of the stake\n".to_owned();
    for cartels in &scenarios.cartels {
        let _ = write!(text, "  kappa {:.2}:", cartels.kappa);
        for (stake, incentive) in cartels.points.iter().skip(9).step_by(10) {
            let _ = write!(text, "  {:.0} %: {incentive:.3}", 100.0 * stake);
        }
        text.push('\n');
    }
    text.push_str(
        "\ndividends per stake over 40 epochs: validators of 80, 10 and 10 % of the stake move to a better miner\n",
    );
    for moves in &scenarios.moves {
        let mean = |of: usize| {
            let sum: f64 = moves.dividends.iter().map(|epoch| epoch[of]).sum();
            sum / moves.dividends.len() as f64
        };
        let _ = writeln!(
            text,
            "  {:<34}{:<26}{:>8.4}{:>8.4}{:>8.4}",
            moves.name,
            moves.bonds.name(),
            mean(0),
            mean(1),
            mean(2)
        );
    }
    text.trim_end().to_owned()
}

/// One plot of cartels, and one of each bond scenario.
pub(super) fn plots(scenarios: &Scenarios) -> Vec<Plot> {
    let cartels = Chart {
        title: "What a cartel's own miner gets".to_owned(),
        x: "share of the stake".to_owned(),
        y: "share of the incentive".to_owned(),
        series: scenarios
            .cartels
            .iter()
            .map(|it| Series {
                name: format!("kappa {}", it.kappa),
                points: it.points.clone(),
                bounds: Vec::new(),
            })
            .collect(),
    };
    let mut plots = vec![("yuma-cartel.svg".to_owned(), cartels.svg())];
    for (number, moves) in scenarios.moves.iter().enumerate() {
        let series = ["80 % of the stake", "10 %", "the other 10 %"]
            .into_iter()
            .enumerate()
            .map(|(of, name)| Series {
                name: name.to_owned(),
                points: (0_u32..)
                    .zip(&moves.dividends)
                    .map(|(epoch, dividends)| (f64::from(epoch), dividends[of]))
                    .collect(),
                bounds: Vec::new(),
            })
            .collect();
        let chart = Chart {
            title: format!("{}: {}", moves.bonds.name(), moves.name),
            x: "epoch".to_owned(),
            y: "dividends per stake".to_owned(),
            series,
        };
        plots.push((format!("yuma-bonds-{}.svg", number + 1), chart.svg()));
    }
    plots
}
