//! Rounds as they go: what every validator asks, and what becomes of it miner by miner.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, chart, page, text};
use crate::state::Tally;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let validators = canvas.validators(usize::from(area.width).saturating_sub(1));
    let rows = u16::try_from(validators.len())
        .unwrap_or(u16::MAX)
        .min(area.height / 2);
    let [top, bottom] =
        Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(validators), top);
    canvas.miners(frame, bottom, seen);
}

impl Canvas<'_> {
    fn validators(&self, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title("Rounds", width, self.palette)];
        let mut rounds: Vec<_> = self
            .state
            .peers
            .validators
            .iter()
            .filter_map(|(hotkey, known)| Some((hotkey, known.round.as_ref()?)))
            .collect();
        if rounds.is_empty() {
            let text = "No round was heard of. Rounds are in the events of validators, not on chain: see --events in --help.";
            lines.extend(page::wrapped(text, width, 0, self.palette.dim));
            return lines;
        }
        rounds.sort_by_key(|(hotkey, _)| self.state.neuron(hotkey).map(|it| it.uid));
        lines.push(Line::styled(
            format!(
                " {:<16}{:>6} {:>6} {:>5} {:>6} {:>4} {:>6} {:>5} {:>5}",
                "VALIDATOR", "ROUND", "BLOCK", "SENT", "FLIGHT", "ANSW", "OPENED", "FAIL", "VOID"
            ),
            self.palette.heading,
        ));
        let columns = width.saturating_sub(74).clamp(4, 60);
        for (hotkey, round) in rounds {
            let total = &round.total;
            let done = total.answered + total.failed + total.void;
            let part = f64::from(done) / f64::from(round.planned.max(1));
            lines.push(Line::from(vec![
                Span::raw(format!(
                    " {:<16}{:>6} {:>6} {:>5} {:>6} {:>4} {:>6} {:>5} {:>5}  ",
                    text::cut(&self.state.name(hotkey), 15),
                    round.round,
                    round.block,
                    total.asked,
                    round.in_flight.len(),
                    total.answered,
                    total.opened,
                    total.failed,
                    total.void
                )),
                Span::styled(chart::progress(part, columns), self.palette.series),
                Span::raw(format!(" /{}", round.planned)),
            ]));
        }
        lines
    }

    /// Every miner in all rounds that are open.
    fn miners(&self, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
        let width = usize::from(area.width).saturating_sub(1);
        let mut lines = vec![
            page::title(
                "Miners in these rounds (Enter: the miner)",
                width,
                self.palette,
            ),
            Line::styled(
                format!(
                    "  {:<18}{:>6} {:>5} {:>6} {:>5} {:>7} {:>8}  FAULT",
                    "MINER", "FLIGHT", "ANSW", "OPENED", "FAIL", "STRAYS", "TTFT p50"
                ),
                self.palette.heading,
            ),
        ];
        let hotkeys = self.screen.listed(self.state);
        let selected = self.screen.selected_row(&hotkeys);
        let room = usize::from(area.height).saturating_sub(lines.len());
        let first = text::first_row(selected.unwrap_or(0), room, hotkeys.len());
        for (at, hotkey) in hotkeys.iter().enumerate().skip(first).take(room) {
            let rounds = || {
                self.state
                    .peers
                    .validators
                    .values()
                    .filter_map(|it| it.round.as_ref())
            };
            let flight: usize = rounds().map(|round| round.in_flight_of(hotkey)).sum();
            let tally = rounds().filter_map(|round| round.miners.get(hotkey)).fold(
                Tally::default(),
                |sum, it| Tally {
                    asked: sum.asked + it.asked,
                    answered: sum.answered + it.answered,
                    opened: sum.opened + it.opened,
                    failed: sum.failed + it.failed,
                    void: sum.void + it.void,
                    tokens: sum.tokens + it.tokens,
                    strays: sum.strays + it.strays,
                },
            );
            let known = self.state.peers.miners.get(hotkey);
            let latency = known
                .and_then(|known| known.first_token.quantile(0.5))
                .map_or("-".to_owned(), text::millis);
            let strays = tally
                .stray_share()
                .map_or("-".to_owned(), |part| format!("{:.1} %", part * 100.0));
            let row = self
                .state
                .neuron(hotkey)
                .map(|neuron| self.state.row(neuron));
            let fault = row.as_ref().and_then(|row| row.fault());
            let stray = match tally.stray_share() {
                Some(part) if part > 0.05 => self.palette.bad,
                _ => self.palette.dim,
            };
            let marked = selected == Some(at);
            let line = Line::from(vec![
                Span::raw(format!(
                    "{} {:<18}{flight:>6} {:>5} {:>6} {:>5} ",
                    if marked { '›' } else { ' ' },
                    text::cut(&self.state.name(hotkey), 17),
                    tally.answered,
                    tally.opened,
                    tally.failed,
                )),
                Span::styled(format!("{strays:>7}"), stray),
                Span::raw(format!(" {latency:>8}  ")),
                match fault {
                    Some(fault) => Span::styled(fault.kind.clone(), self.palette.bad),
                    None => Span::styled("-", self.palette.dim),
                },
            ]);
            lines.push(if marked {
                line.style(self.palette.selected)
            } else {
                line
            });
        }
        seen.list = Rect {
            y: area.y + 2,
            height: area.height.saturating_sub(2),
            ..area
        };
        seen.selected = selected.map(|at| at - first);
        seen.room.rows = u16::try_from(room).unwrap_or(u16::MAX);
        seen.room.first = first;
        frame.render_widget(Paragraph::new(lines), area);
    }
}
