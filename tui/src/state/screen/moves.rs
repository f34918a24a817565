//! Moving: within a view, closer, and back.

use super::{Flow, Prompt, Screen, View};
use crate::{
    state::{Column, Knob, State, suspects},
    table::Role,
};

/// Views that a person can go back through.
const MAX_BACK: usize = 16;

impl Screen {
    pub(super) fn go(&mut self, view: View) {
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

    pub(super) fn go_by(&mut self, by: i32, state: &State) {
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

    pub(super) fn select_by(&mut self, by: i32, state: &State) {
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

    pub(super) fn enter(&mut self, state: &State) -> Flow {
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
        if self.view == View::Overview && self.subject(state).is_none() {
            // Nobody is accused: what there is to look at is everybody.
            self.go(View::Metagraph);
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

    pub(super) fn back(&mut self, state: &State) -> Flow {
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
}
