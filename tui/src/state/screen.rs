//! What the person looks at: selection, pane, scrolling. Knows no widgets and performs no effects.

use athanor_spec::Hotkey;

use super::{Sort, State};

/// The panes under the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The selected neuron and why it is paid what it is paid.
    #[default]
    Detail,
    /// Training of every miner.
    Distillation,
    /// What happened.
    Log,
}

impl Pane {
    /// All panes, in the order of the tabs.
    pub const ALL: [Self; 3] = [Self::Detail, Self::Distillation, Self::Log];

    /// Name on the tab.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detail => "Detail",
            Self::Distillation => "Distillation",
            Self::Log => "Log",
        }
    }
}

/// Lines that the detail pane scrolls at most: more than it ever has.
const MAX_DETAIL: usize = 64;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave.
    Quit,
    /// Select a neuron this many rows further down (negative: up).
    Select(i32),
    /// Select the first neuron.
    First,
    /// Select the last neuron.
    Last,
    /// Show the next pane (or the previous one).
    Pane {
        /// Backwards.
        back: bool,
    },
    /// Scroll the pane by this many lines down (negative: up).
    Scroll(i32),
    /// Change the order of the table.
    Sort,
    /// Show or hide the help.
    Help,
    /// Close what is open.
    Close,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Draw and wait for more.
    Continue,
    /// The person is done.
    Quit,
}

/// What the person looks at.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// The neuron that was selected; `None` stands for the first row. A hotkey, since rows move and UIDs are recycled.
    pub selected: Option<Hotkey>,
    /// The pane that is shown where only one fits, and that scrolls.
    pub pane: Pane,
    /// Lines that the pane is scrolled: from the top, or in the log up from the newest line.
    pub scroll: u16,
    /// Order of the table.
    pub sort: Sort,
    /// Whether the help covers the screen.
    pub help: bool,
}

impl Screen {
    /// Does what a key asks for.
    pub fn apply(&mut self, action: Action, state: &State) -> Flow {
        match action {
            Action::Quit => return Flow::Quit,
            Action::Select(by) => self.select(state, |at, last| {
                at.saturating_add_signed(by as isize).min(last)
            }),
            Action::First => self.select(state, |_, _| 0),
            Action::Last => self.select(state, |_, last| last),
            Action::Pane { back } => {
                let at = Pane::ALL
                    .iter()
                    .position(|pane| *pane == self.pane)
                    .unwrap_or(0);
                let step = if back { Pane::ALL.len() - 1 } else { 1 };
                self.pane = Pane::ALL[(at + step) % Pane::ALL.len()];
                self.scroll = 0;
            }
            Action::Scroll(by) => {
                // In the log the newest line is at the bottom, and scrolling starts there.
                let (by, last) = match self.pane {
                    Pane::Detail => (by, MAX_DETAIL),
                    Pane::Distillation => (by, state.peers.miners.len()),
                    Pane::Log => (by.saturating_neg(), state.log.lines().len()),
                };
                let to = i32::from(self.scroll).saturating_add(by);
                self.scroll = u16::try_from(to.max(0))
                    .unwrap_or(u16::MAX)
                    .min(u16::try_from(last).unwrap_or(u16::MAX));
            }
            Action::Sort => self.sort = self.sort.next(),
            Action::Help => self.help = !self.help,
            Action::Close => self.help = false,
        }
        Flow::Continue
    }

    /// Row of the selected neuron, the first if it has left; `None` without neurons.
    pub fn selected_row(&self, hotkeys: &[Hotkey]) -> Option<usize> {
        let found = self
            .selected
            .and_then(|selected| hotkeys.iter().position(|hotkey| *hotkey == selected));
        found.or((!hotkeys.is_empty()).then_some(0))
    }

    fn select(&mut self, state: &State, to: impl Fn(usize, usize) -> usize) {
        let hotkeys: Vec<_> = state
            .rows(self.sort)
            .iter()
            .map(|row| row.neuron.hotkey)
            .collect();
        let Some(at) = self.selected_row(&hotkeys) else {
            return;
        };
        self.selected = hotkeys.get(to(at, hotkeys.len() - 1)).copied();
        if self.pane == Pane::Detail {
            self.scroll = 0;
        }
    }
}
