//! Two lines on top: where we are, and when it pays next.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Palette, chart, text};
use crate::{
    source::replay::Playing,
    state::{Connection, Link, Screen, State, View},
};

/// Columns of the bar that shows how much of the epoch has passed.
const BAR: usize = 16;

pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    playing: Option<Playing>,
    palette: &Palette,
) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let right = match playing {
        Some(playing) => replayed(playing, palette),
        None => connection(state, palette),
    };
    let room = usize::from(area.width).saturating_sub(right.width() + 1);
    sides(frame, first, place(state, palette, room), right);
    let status = match state.connection() {
        Connection::Lost { reason, .. } if state.chain.is_some() => Line::styled(
            text::cut(
                &format!(" shown is the last known state: {reason}"),
                area.width.into(),
            ),
            palette.bad,
        ),
        _ => countdown(state),
    };
    let room = usize::from(area.width).saturating_sub(status.width() + 1);
    let right = state
        .chain
        .iter()
        .flat_map(|_| census(state))
        .find(|text| text.len() <= room);
    let right = Line::raw(right.unwrap_or_default());
    sides(frame, second, status, right);
}

fn sides(frame: &mut Frame<'_>, area: Rect, left: Line<'_>, right: Line<'_>) {
    let width = u16::try_from(right.width()).unwrap_or(u16::MAX);
    let [start, end] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]).areas(area);
    frame.render_widget(Paragraph::new(left), start);
    frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), end);
}

/// The network, the subnet and the block in at most `room` columns: a long address is what is cut.
fn place(state: &State, palette: &Palette, room: usize) -> Line<'static> {
    let name = Span::styled(" ATHANOR ", palette.active);
    let mut rest = format!("  netuid {}", state.netuid);
    if let Some(chain) = &state.chain {
        let graph = &chain.metagraph;
        rest += &format!("  block {}  epoch {}", graph.block, graph.schedule.epoch);
    }
    let left = room.saturating_sub(name.width() + 1 + rest.len());
    let network = text::cut(&state.network, left.clamp(8, 32));
    Line::from(vec![name, Span::raw(format!(" {network}{rest}"))])
}

fn connection(state: &State, palette: &Palette) -> Line<'static> {
    match state.connection() {
        Connection::Connecting => Line::styled("○ connecting ", palette.warn),
        Connection::Live => live(state, palette),
        Connection::Stalled { since } => Line::styled(
            format!("! no block for {} ", text::duration(since)),
            palette.warn,
        ),
        Connection::Lost { since, .. } => Line::styled(
            format!("× disconnected {} ", text::duration(since)),
            palette.bad,
        ),
    }
}

/// The chain is live; whether the feeds are is said beside it.
fn live(state: &State, palette: &Palette) -> Line<'static> {
    let lost = state
        .feeds
        .values()
        .filter(|feed| matches!(feed, Link::Lost { .. }))
        .count();
    match lost {
        0 => Line::styled("● live ", palette.good),
        lost => Line::styled(format!("● live, {lost} feeds lost "), palette.warn),
    }
}

fn replayed(playing: Playing, palette: &Palette) -> Line<'static> {
    let state = match playing.paused {
        true => "paused",
        false if playing.position >= playing.length => "at its end",
        false => "replay",
    };
    let speed = match playing.speed < 1.0 {
        true => format!("1/{:.0}", 1.0 / playing.speed),
        false => format!("{:.0}", playing.speed),
    };
    Line::styled(
        format!(
            "{state} {:.0} of {:.0} s ×{speed} ",
            playing.position.as_secs_f64(),
            playing.length.as_secs_f64()
        ),
        palette.validator,
    )
}

/// The names of the views with their keys; where each stands is told.
pub(super) fn tabs(
    frame: &mut Frame<'_>,
    area: Rect,
    screen: &Screen,
    palette: &Palette,
) -> Vec<(Rect, View)> {
    let (mut spans, mut places) = (Vec::new(), Vec::new());
    let mut x = area.x;
    for (number, view) in (1..).zip(View::ALL) {
        // Brackets mark the view, so that it shows without colour.
        let (text, style) = match view == screen.view {
            true => (format!("[{number} {}]", view.name()), palette.active),
            false => (format!(" {number} {}", view.name()), palette.dim),
        };
        let width = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        places.push((Rect::new(x, area.y, width, 1), view));
        x = x.saturating_add(width);
        spans.push(Span::styled(text, style));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    places
}

fn countdown(state: &State) -> Line<'static> {
    let Some(chain) = &state.chain else {
        return Line::default();
    };
    let Some((blocks, time)) = state.next_epoch() else {
        return Line::default();
    };
    let schedule = &chain.metagraph.schedule;
    if schedule.tempo == 0 {
        return Line::raw(" epochs do not run: the subnet's tempo is 0");
    }
    let length = schedule
        .next_epoch_block
        .0
        .saturating_sub(schedule.last_epoch_block.0)
        .max(1);
    let passed = f64::from(length.saturating_sub(blocks)) / f64::from(length);
    let bar = chart::progress(passed, BAR);
    // An overdue block has no time to go; the connection's state says what is the matter.
    let seconds = time
        .filter(|time| !time.is_zero())
        .map_or(String::new(), |time| {
            format!(", about {}", text::duration(time))
        });
    Line::raw(format!(" {bar} next epoch in {blocks} blocks{seconds}"))
}

/// How many do what, in words and for narrow terminals in letters.
fn census(state: &State) -> [String; 2] {
    let (validators, miners, accused) = state.census();
    [
        format!("{validators} validators  {miners} miners  {accused} accused "),
        format!("{validators} V  {miners} M  {accused} accused "),
    ]
}
