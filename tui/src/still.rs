//! One frame as text, without a terminal: for pipes, exports, documentation and benchmarks.

use ratatui::{Terminal, backend::TestBackend};

use crate::{
    state::{Screen, State},
    view::{self, Look},
};

/// A place to draw frames of one size.
pub struct Still {
    terminal: Terminal<TestBackend>,
    look: Look,
}

impl Still {
    /// A place of `width` columns and `height` rows.
    pub fn new((width, height): (u16, u16), look: Look) -> Self {
        let terminal = match Terminal::new(TestBackend::new(width, height)) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        Self { terminal, look }
    }

    /// Draws a frame.
    pub fn draw(&mut self, state: &State, screen: &Screen) {
        let drawn = self.terminal.draw(|frame| {
            view::render(frame, state, screen, &self.look, None);
        });
        match drawn {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }

    /// The frame as lines, right ends trimmed.
    pub fn text(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        let area = buffer.area;
        let line = |y| {
            let cells = (0..area.width).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned() + "\n"
        };
        (0..area.height).map(line).collect()
    }
}

/// One frame as text.
pub fn frame(state: &State, screen: &Screen, size: (u16, u16), look: &Look) -> String {
    let mut still = Still::new(size, look.clone());
    still.draw(state, screen);
    still.text()
}
