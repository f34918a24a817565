//! What a person looks at, and how keys change it. Effects are returned, not performed.

use std::collections::BTreeSet;

use athanor_chain::Hyperparameters;
use athanor_spec::Hotkey;

use super::{
    Column, Filter, Kind, Knob, Order, Sort, State,
    collusion::{Suspect, suspects},
    explain,
};
use crate::table::Role;

/// Views that a person can go back through.
const MAX_BACK: usize = 16;
/// Characters of a search or a file's name.
const MAX_TEXT: usize = 200;

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The subnet at a glance.
    #[default]
    Overview,
    /// All neurons.
    Metagraph,
    /// One miner.
    Miner,
    /// One validator.
    Validator,
    /// Rounds as they go.
    Rounds,
    /// Who works together.
    Collusion,
    /// Rules, extrinsics and events.
    Chain,
    /// What happened.
    Log,
}

impl View {
    /// All of them, in the order of their keys 1 to 8.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Metagraph,
        Self::Miner,
        Self::Validator,
        Self::Rounds,
        Self::Collusion,
        Self::Chain,
        Self::Log,
    ];

    /// Name for a person, and for `--screen` in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Metagraph => "Metagraph",
            Self::Miner => "Miner",
            Self::Validator => "Validator",
            Self::Rounds => "Rounds",
            Self::Collusion => "Collusion",
            Self::Chain => "Chain",
            Self::Log => "Logs",
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|view| *view == self).unwrap_or(0)
    }
}

/// A line of text that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// What to look for; it takes effect as it is typed.
    Search,
    /// Where to write the view.
    Export(String),
}

/// What a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave.
    Quit,
    /// Move the selection, or scroll where nothing can be selected.
    Move(i32),
    /// The same by pages.
    Page(i32),
    /// Go to the beginning.
    First,
    /// Go to the end.
    Last,
    /// The next or the previous neuron, in a detail view too.
    Neuron(i32),
    /// The next or the previous view.
    Cycle {
        /// Backwards.
        back: bool,
    },
    /// A view.
    Go(View),
    /// Look closer at what is selected.
    Enter,
    /// Close what is open, or go back.
    Back,
    /// Turn what is selected up or down.
    Turn {
        /// Up.
        up: bool,
    },
    /// The next order.
    Sort,
    /// Order by a column.
    SortBy(Sort),
    /// Turn the order around.
    Reverse,
    /// The next filter.
    Filter,
    /// Look for a text.
    Search,
    /// Choose columns, or be done choosing.
    Columns,
    /// Put back what was changed.
    Reset,
    /// Show or hide help.
    Help,
    /// Copy what is selected.
    Copy,
    /// Copy why it is paid what it is paid.
    CopyReasons,
    /// Write the view to a file.
    Export,
    /// A character was typed into the prompt.
    Type(char),
    /// Its last character is taken back.
    Erase,
    /// A row of the list was clicked, counted from the list's first shown row.
    Click(usize),
    /// Play a recording otherwise.
    Play(Play),
}

/// How a recording is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Stop, or go on.
    Pause,
    /// Twice as fast, or half as fast.
    Speed {
        /// Faster.
        faster: bool,
    },
    /// Go by so many seconds.
    Seek(i32),
}

/// What the loop has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Flow {
    /// Nothing but draw.
    Continue,
    /// Leave.
    Quit,
    /// Put a text on the clipboard.
    Copy(String),
    /// Write the view to this file.
    Export(String),
    /// Compute what other rules would pay, or stop.
    Suppose(Option<Hyperparameters>),
    /// Play the recording otherwise.
    Play(Play),
}

/// What the last frame had room for: filled by whoever draws, needed to move by pages and to stop at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Rows of the list or of the text.
    pub rows: u16,
    /// How far the text can be scrolled.
    pub scroll: u16,
    /// First row of the list that is shown.
    pub first: usize,
}

/// What a person looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The view.
    pub view: View,
    /// The selected neuron; `None` for the first of the list.
    pub selected: Option<Hotkey>,
    /// Selected row of views whose rows are no neurons. In the log it counts from the newest line.
    pub cursor: [usize; 8],
    /// How far each view is scrolled.
    pub scroll: [u16; 8],
    /// Order of the table.
    pub order: Order,
    /// Which neurons the table shows.
    pub filter: Filter,
    /// Which lines the log shows.
    pub kind: Option<Kind>,
    /// What is looked for.
    pub search: String,
    /// What is being typed.
    pub prompt: Option<Prompt>,
    /// Columns of the table.
    pub columns: BTreeSet<Column>,
    /// The selected column while columns are chosen.
    pub choosing: Option<usize>,
    /// Whether help is shown.
    pub help: bool,
    /// What the last effect came to, in one line.
    pub notice: Option<String>,
    /// What the last frame had room for.
    pub room: Room,
    /// The views that led here, the latest last.
    pub back: Vec<View>,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            view: View::default(),
            selected: None,
            cursor: [0; 8],
            scroll: [0; 8],
            order: Order::default(),
            filter: Filter::default(),
            kind: None,
            search: String::new(),
            prompt: None,
            columns: Column::ALL
                .into_iter()
                .filter(|it| it.by_default())
                .collect(),
            choosing: None,
            help: false,
            notice: None,
            room: Room::default(),
            back: Vec::new(),
        }
    }
}

impl Screen {
    /// A screen at a view.
    pub fn at(view: View) -> Self {
        Self {
            view,
            ..Self::default()
        }
    }

    /// Whether keys are text.
    pub fn is_typing(&self) -> bool {
        self.prompt.is_some()
    }

    /// How far the view is scrolled.
    pub fn scrolled(&self) -> u16 {
        self.scroll[self.view.index()]
    }

    /// Selected row of the view, where its rows are no neurons.
    pub fn row(&self) -> usize {
        self.cursor[self.view.index()]
    }

    /// The neurons that the view lists, in its order.
    pub fn listed(&self, state: &State) -> Vec<Hotkey> {
        let hotkeys =
            |rows: Vec<super::NeuronRow<'_>>| rows.iter().map(|row| row.neuron.hotkey).collect();
        match self.view {
            View::Overview => hotkeys(state.rows(Order::default(), Filter::Accused, "")),
            View::Metagraph => hotkeys(state.rows(self.order, self.filter, &self.search)),
            View::Miner => hotkeys(state.rows(self.order, Filter::Miners, "")),
            View::Validator => hotkeys(state.rows(self.order, Filter::Validators, "")),
            View::Rounds => hotkeys(state.rows(Order::default(), Filter::Miners, &self.search)),
            View::Collusion | View::Chain | View::Log => Vec::new(),
        }
    }

    /// The neuron that the view is about: the selected one, or the first of the list.
    pub fn subject(&self, state: &State) -> Option<Hotkey> {
        if self.view == View::Collusion {
            return suspects(state).get(self.row()).map(Suspect::whom);
        }
        let listed = self.listed(state);
        self.selected
            .filter(|selected| listed.contains(selected))
            .or_else(|| listed.first().copied())
    }

    /// Row of the selected neuron in a list, the first if it is not in it; `None` for an empty list.
    pub fn selected_row(&self, hotkeys: &[Hotkey]) -> Option<usize> {
        let found = self
            .selected
            .and_then(|selected| hotkeys.iter().position(|hotkey| *hotkey == selected));
        found.or((!hotkeys.is_empty()).then_some(0))
    }

    /// Does what a person asked for.
    pub fn apply(&mut self, action: Action, state: &State) -> Flow {
        self.notice = None;
        match action {
            Action::Quit => return Flow::Quit,
            Action::Play(play) => return Flow::Play(play),
            Action::Type(character) => self.type_character(character),
            Action::Erase => {
                if let Some(text) = self.text() {
                    text.pop();
                }
            }
            Action::Enter => return self.enter(state),
            Action::Back => return self.back(state),
            Action::Help => self.help = !self.help,
            Action::Move(by) => self.go_by(by, state),
            Action::Page(by) => self.go_by(
                by.saturating_mul(i32::from(self.room.rows.max(2)) - 1),
                state,
            ),
            Action::First => self.go_by(i32::MIN / 2, state),
            Action::Last => self.go_by(i32::MAX / 2, state),
            Action::Neuron(by) => self.select_by(by, state),
            Action::Click(row) => {
                let at = self.room.first + row;
                match self.view {
                    View::Chain | View::Collusion => self.cursor[self.view.index()] = at,
                    View::Log => {}
                    _ => {
                        if let Some(hotkey) = self.listed(state).get(at) {
                            self.selected = Some(*hotkey);
                        }
                    }
                }
            }
            Action::Cycle { back } => {
                let step = if back { View::ALL.len() - 1 } else { 1 };
                self.go(View::ALL[(self.view.index() + step) % View::ALL.len()]);
            }
            Action::Go(view) => self.go(view),
            Action::Turn { up } => return self.turn(up, state),
            Action::Sort => self.order.by = self.order.by.next(),
            Action::SortBy(by) => {
                self.order = Order {
                    by,
                    reversed: self.order.by == by && !self.order.reversed,
                };
            }
            Action::Reverse => self.order.reversed = !self.order.reversed,
            Action::Filter if self.view == View::Log => self.kind = Kind::after(self.kind),
            Action::Filter => self.filter = self.filter.next(),
            Action::Search => {
                self.search.clear();
                self.prompt = Some(Prompt::Search);
            }
            Action::Columns => {
                self.choosing = match (self.choosing, self.view) {
                    (None, View::Metagraph) => Some(0),
                    _ => None,
                };
            }
            Action::Reset => return self.reset(),
            Action::Copy => return self.copy(state),
            Action::CopyReasons => return self.copy_reasons(state),
            Action::Export => self.prompt = Some(Prompt::Export(self.file_name(state))),
        }
        Flow::Continue
    }

    /// The knob that is selected in the chain view.
    pub fn knob(&self) -> Knob {
        Knob::ALL[self.cursor[View::Chain.index()].min(Knob::ALL.len() - 1)]
    }

    fn go(&mut self, view: View) {
        if view != self.view {
            if self.back.len() == MAX_BACK {
                self.back.remove(0);
            }
            self.back.push(self.view);
            self.view = view;
            (self.choosing, self.help) = (None, false);
            // What was looked for in one list means nothing in another.
            self.search.clear();
        }
    }

    fn go_by(&mut self, by: i32, state: &State) {
        let moved = |at: usize, len: usize| {
            let last = i64::try_from(len.saturating_sub(1)).unwrap_or(i64::MAX);
            let to = (i64::try_from(at).unwrap_or(i64::MAX) + i64::from(by)).clamp(0, last);
            usize::try_from(to).unwrap_or(0)
        };
        let at = self.view.index();
        if let Some(choosing) = self.choosing {
            self.choosing = Some(moved(choosing, Column::ALL.len()));
            return;
        }
        match self.view {
            View::Metagraph | View::Overview | View::Rounds => self.select_by(by, state),
            View::Collusion => self.cursor[at] = moved(self.cursor[at], suspects(state).len()),
            View::Chain => self.cursor[at] = moved(self.cursor[at], Knob::ALL.len()),
            View::Log => {
                // It counts from the newest line, which is at the bottom.
                let found = state.log.found(self.kind, &self.search).len();
                let from_top = found.saturating_sub(self.cursor[at] + 1);
                self.cursor[at] = found.saturating_sub(moved(from_top, found) + 1);
            }
            View::Miner | View::Validator => {
                let to = i32::from(self.scroll[at]).saturating_add(by).max(0);
                self.scroll[at] = u16::try_from(to).unwrap_or(u16::MAX).min(self.room.scroll);
            }
        }
    }

    fn select_by(&mut self, by: i32, state: &State) {
        let hotkeys = self.listed(state);
        let Some(at) = self.selected_row(&hotkeys) else {
            return;
        };
        let last = i64::try_from(hotkeys.len() - 1).unwrap_or(i64::MAX);
        let to = (i64::try_from(at).unwrap_or(0) + i64::from(by)).clamp(0, last);
        self.selected = hotkeys.get(usize::try_from(to).unwrap_or(0)).copied();
        self.scroll[View::Miner.index()] = 0;
        self.scroll[View::Validator.index()] = 0;
    }

    fn enter(&mut self, state: &State) -> Flow {
        match self.prompt.take() {
            Some(Prompt::Search) => return Flow::Continue,
            Some(Prompt::Export(path)) => return Flow::Export(path),
            None => {}
        }
        if let Some(choosing) = self.choosing {
            let column = Column::ALL[choosing];
            if !self.columns.remove(&column) {
                self.columns.insert(column);
            }
            return Flow::Continue;
        }
        let to = match self.view {
            // Who judged it: the validator with the most stake among those that did.
            View::Miner => self
                .subject(state)
                .and_then(|miner| state.lead_grader(&miner)),
            View::Validator | View::Chain => None,
            View::Log => {
                let found = state.log.found(self.kind, &self.search);
                let at = found.len().checked_sub(self.row() + 1);
                at.and_then(|at| found[at].about)
            }
            _ => self.subject(state),
        };
        let Some(neuron) = to.and_then(|hotkey| state.neuron(&hotkey)) else {
            return Flow::Continue;
        };
        let role = state.row(neuron).role;
        self.go(match role {
            Role::Validator => View::Validator,
            Role::Miner => View::Miner,
        });
        self.selected = Some(neuron.hotkey);
        self.scroll[self.view.index()] = 0;
        Flow::Continue
    }

    fn back(&mut self, state: &State) -> Flow {
        if let Some(prompt) = self.prompt.take() {
            if prompt == Prompt::Search {
                self.search.clear();
            }
        } else if self.help {
            self.help = false;
        } else if self.choosing.is_some() {
            self.choosing = None;
        } else if !self.search.is_empty() {
            self.search.clear();
        } else if self.view == View::Chain && state.what_if.is_some() {
            return Flow::Suppose(None);
        } else if let Some(view) = self.back.pop() {
            self.view = view;
        }
        Flow::Continue
    }

    fn turn(&mut self, up: bool, state: &State) -> Flow {
        match (self.view, &state.chain) {
            (View::Chain, Some(chain)) => {
                let asked = state.what_if.as_ref().map(|asked| &asked.rules);
                let mut rules = asked.unwrap_or(&chain.rules).clone();
                self.knob().turn(&mut rules, up);
                Flow::Suppose(Some(rules))
            }
            _ => {
                let back = !up;
                self.apply(Action::Cycle { back }, state)
            }
        }
    }

    fn reset(&mut self) -> Flow {
        match self.view {
            View::Chain => return Flow::Suppose(None),
            View::Metagraph => {
                let fresh = Self::default();
                (self.order, self.filter) = (fresh.order, fresh.filter);
                self.columns = fresh.columns;
                self.search.clear();
            }
            View::Log => {
                (self.kind, self.cursor[View::Log.index()]) = (None, 0);
                self.search.clear();
            }
            _ => {}
        }
        Flow::Continue
    }

    fn text(&mut self) -> Option<&mut String> {
        match self.prompt.as_mut()? {
            Prompt::Search => Some(&mut self.search),
            Prompt::Export(path) => Some(path),
        }
    }

    fn type_character(&mut self, character: char) {
        if let Some(text) = self.text()
            && !character.is_control()
            && text.chars().count() < MAX_TEXT
        {
            text.push(character);
            self.cursor[View::Log.index()] = 0;
        }
    }

    fn copy(&self, state: &State) -> Flow {
        let text = match self.view {
            View::Log => {
                let found = state.log.found(self.kind, &self.search);
                let at = found.len().checked_sub(self.row() + 1);
                at.map(|at| found[at].text.clone())
            }
            View::Chain => state
                .chain
                .as_ref()
                .map(|chain| format!("{}={}", self.knob().name(), self.knob().value(&chain.rules))),
            _ => self.subject(state).map(|hotkey| hotkey.to_ss58()),
        };
        text.map_or(Flow::Continue, Flow::Copy)
    }

    fn copy_reasons(&self, state: &State) -> Flow {
        let neuron = self.subject(state).and_then(|hotkey| state.neuron(&hotkey));
        neuron.map_or(Flow::Continue, |neuron| {
            let reasons = explain(state, neuron);
            let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            Flow::Copy(format!(
                "{}: {}",
                state.name(&neuron.hotkey),
                lines.join("; ")
            ))
        })
    }

    fn file_name(&self, state: &State) -> String {
        let ending = match self.view {
            View::Metagraph => "csv",
            _ => "txt",
        };
        let block = state
            .chain
            .as_ref()
            .map_or(0, |chain| chain.metagraph.block.0);
        format!(
            "athanor-{}-{block}.{ending}",
            self.view.name().to_lowercase()
        )
    }
}
