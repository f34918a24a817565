//! Training of every miner: is the student getting better on what it never saw?

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Paragraph, Sparkline},
};

use super::{Palette, text};
use crate::state::{Miner, Series, State};

/// Levels that a character cell can show.
const LEVELS: u64 = 8;

pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    scroll: u16,
    palette: &Palette,
) {
    let mut miners: Vec<_> = state
        .peers
        .miners
        .iter()
        .filter(|(_, miner)| miner.step > 0)
        .collect();
    if miners.is_empty() {
        let text = " No miner has reported training yet. Training is reported by events: a local subnet, or --events.";
        return frame.render_widget(
            Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: false }),
            area,
        );
    }
    miners.sort_by_key(|(hotkey, _)| state.neuron(hotkey).map(|neuron| neuron.uid));
    let heads = [
        "MINER",
        "STEP",
        "LOSS",
        "",
        "HELD-OUT",
        "",
        "GAIN (AT LEAST)",
    ]
    .map(str::to_owned);
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let spark = heads
        .clone()
        .map(|head| Line::styled(head, palette.heading));
    for (line, area) in spark.into_iter().zip(columns(head)) {
        frame.render_widget(Paragraph::new(line), area);
    }
    let first = usize::from(scroll).min(miners.len() - 1);
    for (row, (hotkey, miner)) in body.rows().zip(miners.into_iter().skip(first)) {
        render_miner(frame, row, &state.name(hotkey), miner, palette);
    }
}

fn columns(area: Rect) -> [Rect; 7] {
    Layout::horizontal([
        Constraint::Length(18),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(8),
        Constraint::Fill(1),
        Constraint::Length(16),
    ])
    .spacing(1)
    .areas(area)
}

fn render_miner(frame: &mut Frame<'_>, row: Rect, name: &str, miner: &Miner, palette: &Palette) {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let gain = miner.last_heldout.map_or("-".to_owned(), |held| {
        format!("{:+.3} ({:+.3})", held.improvement, held.improvement_low)
    });
    let [who, step, loss, losses, held, helds, gained] = columns(row);
    let texts = [
        (text::cut(&format!(" {name}"), who.width.into()), who),
        (miner.step.to_string(), step),
        (figure(miner.losses.last()), loss),
        (figure(miner.heldout.last()), held),
        (gain, gained),
    ];
    for (text, area) in texts {
        frame.render_widget(Paragraph::new(text), area);
    }
    spark(frame, losses, &miner.losses, palette);
    spark(frame, helds, &miner.heldout, palette);
}

/// The newest points that fit, scaled between their own least and largest.
fn spark(frame: &mut Frame<'_>, area: Rect, series: &Series, palette: &Palette) {
    let skip = series.points().len().saturating_sub(area.width.into());
    let points: Vec<f64> = series.points().skip(skip).collect();
    let low = points.iter().copied().fold(f64::INFINITY, f64::min);
    let span = points.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    let level = |value: &f64| {
        let part = if span > 0.0 {
            (value - low) / span
        } else {
            0.5
        };
        // In [1, 8]: zero would draw nothing, and look like a missing point.
        1 + (part * (LEVELS - 1) as f64).round() as u64
    };
    let levels: Vec<u64> = points.iter().map(level).collect();
    frame.render_widget(
        Sparkline::default()
            .data(levels)
            .max(LEVELS)
            .style(palette.series),
        area,
    );
}
