//! What a person takes along: texts for the clipboard, and the name of the file that a view is written to.

use super::{Flow, Screen, View};
use crate::state::{State, explain};

impl Screen {
    pub(super) fn copy(&self, state: &State) -> Flow {
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

    pub(super) fn copy_reasons(&self, state: &State) -> Flow {
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

    pub(super) fn file_name(&self, state: &State) -> String {
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
