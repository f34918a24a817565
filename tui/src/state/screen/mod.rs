//! What a person looks at, and how keys change it. Effects are returned, not performed.

mod action;
mod moves;
mod take;
mod view;

use std::collections::BTreeSet;

use athanor_spec::Hotkey;

pub use action::{Action, Flow, Play, Prompt};
pub use view::View;

use super::{
    Column, Filter, Kind, Knob, NeuronRow, Order, State,
    collusion::{Suspect, suspects},
};

/// Characters of a search or a file's name.
const MAX_TEXT: usize = 200;

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
        let hotkeys = |rows: Vec<NeuronRow<'_>>| rows.iter().map(|row| row.neuron.hotkey).collect();
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
            Action::Unmask => return self.unmask(state),
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
            Action::Sort | Action::SortBy(_) | Action::Reverse if self.view != View::Metagraph => {
                self.notice = Some("what can be sorted is the Metagraph (2)".to_owned());
            }
            Action::Sort => self.order.by = self.order.by.next(),
            Action::SortBy(by) => {
                self.order = Order {
                    by,
                    reversed: self.order.by == by && !self.order.reversed,
                };
            }
            Action::Reverse => self.order.reversed = !self.order.reversed,
            Action::Filter => match self.view {
                View::Log => self.kind = Kind::after(self.kind),
                View::Metagraph => self.filter = self.filter.next(),
                _ => {
                    let text = "what can be filtered is the Metagraph (2) and the log (8)";
                    self.notice = Some(text.to_owned());
                }
            },
            Action::Search => {
                // Where there is no list to search, the neurons are meant.
                if !matches!(self.view, View::Metagraph | View::Rounds | View::Log) {
                    self.go(View::Metagraph);
                }
                self.search.clear();
                self.prompt = Some(Prompt::Search);
            }
            Action::Columns => {
                if self.view != View::Metagraph {
                    self.notice = Some("columns are those of the Metagraph (2)".to_owned());
                }
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

    fn unmask(&mut self, state: &State) -> Flow {
        if state.labels.is_empty() {
            self.notice = Some(
                "what neurons are is known of a local subnet alone: here the evidence has to say"
                    .to_owned(),
            );
            return Flow::Continue;
        }
        Flow::Unmask
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
}

#[cfg(test)]
mod tests;
