//! Training of every miner: is the student getting better on what it never saw?

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Paragraph, Sparkline, Wrap},
};

use super::{Palette, text};
use crate::state::{Miner, Series, State};

/// Levels that a character cell can show.
const LEVELS: u64 = 8;
/// From this width on there is room for the curve of the held-out loss and the interval of its gain.
const ROOMY: u16 = 74;

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
        let text = "No miner has reported training. Events tell of it: a local subnet has them, else see --events.";
        let text = Paragraph::new(text).wrap(Wrap { trim: false });
        return frame.render_widget(text, area);
    }
    miners.sort_by_key(|(hotkey, _)| state.neuron(hotkey).map(|neuron| neuron.uid));
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let gain = if roomy(area) {
        "GAIN (AT LEAST)"
    } else {
        "GAIN"
    };
    let heads = ["MINER", "STEP", "LOSS", "", "HELDOUT", "", gain];
    for (head, area) in heads.into_iter().zip(columns(head)) {
        frame.render_widget(Paragraph::new(Line::styled(head, palette.heading)), area);
    }
    let first = usize::from(scroll).min(miners.len() - 1);
    for (row, (hotkey, miner)) in body.rows().zip(miners.into_iter().skip(first)) {
        render_miner(frame, row, &state.name(hotkey), miner, palette);
    }
}

fn roomy(area: Rect) -> bool {
    area.width >= ROOMY
}

/// Name, step, loss, its curve, held-out loss, its curve, gain.
fn columns(area: Rect) -> [Rect; 7] {
    let (name, curve, gain) = if roomy(area) {
        (18, Constraint::Fill(1), 16)
    } else {
        (13, Constraint::Length(0), 7)
    };
    Layout::horizontal([
        Constraint::Length(name),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(7),
        curve,
        Constraint::Length(gain),
    ])
    .spacing(1)
    .areas(area)
}

fn render_miner(frame: &mut Frame<'_>, row: Rect, name: &str, miner: &Miner, palette: &Palette) {
    let [who, step, loss, losses, held, helds, gained] = columns(row);
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let gain = miner.last_heldout.map_or("-".to_owned(), |held| {
        if roomy(row) {
            format!("{:+.3} ({:+.3})", held.improvement, held.improvement_low)
        } else {
            format!("{:+.3}", held.improvement)
        }
    });
    let texts = [
        (text::cut(name, who.width.into()), who),
        (miner.step.to_string(), step),
        (figure(miner.losses.last()), loss),
        (figure(miner.heldout.last()), held),
        (gain, gained),
    ];
    for (text, area) in texts {
        frame.render_widget(Paragraph::new(text), area);
    }
    curve(frame, losses, &miner.losses, palette);
    curve(frame, helds, &miner.heldout, palette);
}

/// The whole series, scaled between its own least and largest point.
fn curve(frame: &mut Frame<'_>, area: Rect, series: &Series, palette: &Palette) {
    let points = series.resampled(area.width.into());
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
    let curve = Sparkline::default()
        .data(levels)
        .max(LEVELS)
        .style(palette.series);
    frame.render_widget(curve, area);
}
