//! What a person does, and what the loop has to do about it.

use athanor_chain::Hyperparameters;

use super::View;
use crate::state::Sort;

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
    /// Say or hide what neurons are known to be.
    Unmask,
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
    /// Let names say what neurons are known to be, or not.
    Unmask,
    /// Compute what other rules would pay, or stop.
    Suppose(Option<Hyperparameters>),
    /// Play the recording otherwise.
    Play(Play),
}
