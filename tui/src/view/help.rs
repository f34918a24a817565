//! The keys, and what the screen shows.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::Line,
    widgets::{Block, Clear, Paragraph},
};

use super::Palette;
use crate::state::View;

const KEYS: [&str; 11] = [
    "1-8 Tab ← → h l  screens            ↑ ↓ j k  select or scroll",
    "Enter  look closer, or why          Esc      go back, close",
    "J K n N  next, previous neuron      g G      first, last",
    "PgUp PgDn Space  by pages           /        search (Esc clears)",
    "s S    sort, turn around            f        filter, kind of lines",
    "c      choose columns (Metagraph)   r        put all back",
    "← → - +  turn a rule (Chain)        ?        help",
    "y Y    copy it, or why it is paid   e        write the screen to a file",
    "p < > [ ]  a recording: pause, slower, faster, back, on by 10 s",
    "q Ctrl-C  leave                     u        say who is what (local subnet)",
    "Mouse: click a screen, heading or row; again looks closer; right goes back",
];

fn meaning(view: View) -> &'static [&'static str] {
    match view {
        View::Overview => &[
            "LOST TAO  since it was accused: what the median paid miner got in",
            "          each epoch, less what it got itself; not yet: no epoch paid since",
            "Bars: V validator, M miner; accused ones get nothing",
        ],
        View::Metagraph => &[
            "INC % share of the miners' pay, DIV % of the validators', by the last epoch",
            "FID closeness to the teacher  COR tasks with an answer  SRV in time",
            "PAID lower bound of quality (a fault: none)  FAULT accusation, ok, - no grade",
            "Grades are those of the grader with the most stake",
        ],
        View::Miner => &[
            "STAKE x CLIPPED weight adds up to the rank; ranks share the incentive",
            "e-value: the evidence that the answers are not the checkpoint's draws;",
            "it condemns at 1e6, which an honest miner reaches once in a million lives",
        ],
        View::Validator => &[
            "DIFF  its weight less the consensus, in points",
            "Bonds decide which validator is paid for which miner",
        ],
        View::Rounds => &[
            "FLIGHT asks without an answer yet  OPENED answers replayed",
            "STRAYS tokens that the committed checkpoint would not have drawn",
            "VOID asks that count for nothing, for trouble of the validator's own",
        ],
        View::Collusion => &[
            "same model, copy: equal checkpoints or tensors   near models: too alike",
            "weights: does a validator know anything of its own?",
            "group: validators that lift the same miners. Copies alone move pay",
        ],
        View::Chain => &[
            "Turn a rule: the next epoch is computed anew by the chain's arithmetic",
            "from the weights, bonds and stakes of now. Nothing is sent",
        ],
        View::Log => &[
            "FAULT accusations, WARN what may need somebody, votes, train, chain,",
            "grade. A line that repeats itself is counted",
        ],
    }
}

pub(super) fn render(frame: &mut Frame<'_>, area: Rect, view: View, palette: &Palette) {
    let mut lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|line| Line::raw(format!(" {line}")))
        .collect();
    lines.push(Line::raw(""));
    lines.push(Line::styled(format!(" {}", view.name()), palette.heading));
    lines.extend(
        meaning(view)
            .iter()
            .map(|line| Line::raw(format!(" {line}"))),
    );
    let rows = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let popup = area.centered(Constraint::Length(80), Constraint::Length(rows));
    let block = Block::bordered().title(Line::styled(" Help ", palette.heading));
    // What is beneath would show through at the edges of a narrow terminal.
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), popup);
}
