//! From state to cells: pure, without effects; the same state and screen give the same frame.

mod ascii;
mod chain;
mod chart;
mod collusion;
mod columns;
mod footer;
mod header;
mod help;
mod log;
mod measured;
mod metagraph;
mod miner;
mod overview;
mod page;
mod palette;
mod rounds;
mod text;
mod validator;

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    text::Line,
    widgets::{Paragraph, Wrap},
};

pub(crate) use palette::Palette;
pub use palette::{Look, Theme};

use crate::{
    source::replay::Playing,
    state::{Connection, Room, Screen, Sort, State, View},
};

/// Smallest terminal that everything is laid out for.
const MIN_SIZE: (u16, u16) = (80, 24);

/// Where things are on the frame that was drawn last: what a click means, and how far a key moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Names of views.
    pub(crate) tabs: Vec<(Rect, View)>,
    /// Heads of columns that can be ordered by.
    pub(crate) heads: Vec<(Rect, Sort)>,
    /// Rows that can be selected.
    pub(crate) list: Rect,
    /// The selected one of them, counted from the first that is shown.
    pub(crate) selected: Option<usize>,
    /// What there was room for.
    pub(crate) room: Room,
}

/// What a view draws with.
struct Canvas<'a> {
    state: &'a State,
    screen: &'a Screen,
    palette: &'a Palette,
}

/// Draws everything.
pub(crate) fn render(
    frame: &mut Frame<'_>,
    state: &State,
    screen: &Screen,
    look: &Look,
    playing: Option<Playing>,
) -> Seen {
    let area = frame.area();
    let mut seen = Seen::default();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        too_small(frame, area);
    } else {
        let [header, tabs, body, footer] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(1),
        ])
        .areas(area);
        let canvas = Canvas {
            state,
            screen,
            palette: &look.palette,
        };
        header::render(frame, header, state, playing, &look.palette);
        seen.tabs = header::tabs(frame, tabs, screen, &look.palette);
        footer::render(
            frame,
            footer,
            state,
            screen,
            playing.is_some(),
            &look.palette,
        );
        if state.chain.is_none() {
            waiting(frame, body, state, &look.palette);
        } else {
            canvas.view(frame, body, &mut seen);
        }
        if screen.help {
            help::render(frame, body, screen.view, &look.palette);
        }
    }
    if look.ascii {
        ascii::reduce(frame.buffer_mut());
    }
    seen
}

impl Canvas<'_> {
    fn view(&self, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
        match self.screen.view {
            View::Overview => overview::render(self, frame, area, seen),
            View::Metagraph => metagraph::render(self, frame, area, seen),
            View::Miner => miner::render(self, frame, area, seen),
            View::Validator => validator::render(self, frame, area, seen),
            View::Rounds => rounds::render(self, frame, area, seen),
            View::Collusion => collusion::render(self, frame, area, seen),
            View::Chain => chain::render(self, frame, area, seen),
            View::Log => log::render(self, frame, area, seen),
        }
    }
}

fn waiting(frame: &mut Frame<'_>, area: Rect, state: &State, palette: &Palette) {
    let mut lines = vec![
        Line::raw(""),
        Line::raw(format!("Waiting for the chain at {} …", state.network)),
    ];
    if let Connection::Lost { reason, since } = state.connection() {
        lines.push(Line::raw(""));
        lines.push(Line::styled(reason, palette.bad));
        lines.push(Line::raw(""));
        lines.push(Line::raw(format!(
            "Still trying after {}. Press q to leave.",
            text::duration(since)
        )));
    }
    frame.render_widget(
        Paragraph::new(lines)
            .alignment(Alignment::Center)
            .wrap(Wrap { trim: true }),
        area,
    );
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let lines = [
        format!(
            "This terminal has {} columns and {} rows.",
            area.width, area.height
        ),
        format!("Enlarge it to {} x {}, or run", MIN_SIZE.0, MIN_SIZE.1),
        "athanor-tui --once. Press q to leave.".to_owned(),
    ];
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

#[cfg(test)]
mod tests;
