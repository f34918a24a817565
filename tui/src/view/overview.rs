//! The subnet at a glance: where it stands, what is wrong, who was found out, and who was paid.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, chart, page, text};
use crate::{
    state::{Filter, Link, NeuronRow, Order, Sort},
    table::{Role, tao},
};

/// Rows of the facts.
const FACTS: u16 = 8;
/// Rows of what shows the selected fault.
const EVIDENCE: usize = 2;
/// Rows that the bars of pay have at least, before anything stands beneath them.
const BARS: u16 = 8;
/// Rows from which on what happened last is shown.
const LATEST: u16 = 4;
/// Columns of a name.
const NAME: usize = 18;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let accused = canvas.state.rows(Order::default(), Filter::Accused, "");
    let room = area.height.saturating_sub(FACTS);
    let wanted = u16::try_from(accused.len().max(1))
        .unwrap_or(u16::MAX)
        .saturating_add(if accused.is_empty() { 1 } else { 4 });
    let list = wanted.min(room * 2 / 3).max(3);
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(FACTS),
        Constraint::Length(list),
        Constraint::Fill(1),
    ])
    .areas(area);
    let [facts, alarms] =
        Layout::horizontal([Constraint::Length(38), Constraint::Fill(1)]).areas(top);
    frame.render_widget(Paragraph::new(canvas.facts(accused.len())), facts);
    frame.render_widget(Paragraph::new(canvas.alarms(alarms)), alarms);
    canvas.found_out(frame, middle, &accused, seen);
    let neurons = canvas
        .state
        .chain
        .as_ref()
        .map_or(0, |chain| chain.metagraph.neurons.len());
    // A bar for everybody, and what is left of a tall terminal for what happened last.
    let bars = u16::try_from(neurons + 2).unwrap_or(u16::MAX).max(BARS);
    let [bottom, latest] = match bottom.height.checked_sub(bars) {
        Some(left) if left >= LATEST => {
            Layout::vertical([Constraint::Length(bars), Constraint::Fill(1)]).areas(bottom)
        }
        _ => [bottom, Rect::default()],
    };
    let [pay, past] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(40)]).areas(bottom);
    frame.render_widget(Paragraph::new(canvas.pay(pay)), pay);
    frame.render_widget(Paragraph::new(canvas.past(past)), past);
    frame.render_widget(Paragraph::new(canvas.latest(latest)), latest);
}

impl Canvas<'_> {
    fn facts(&self, accused: usize) -> Vec<Line<'static>> {
        let Some(chain) = &self.state.chain else {
            return Vec::new();
        };
        let (graph, rules) = (&chain.metagraph, &chain.rules);
        let paid = |read: fn(&athanor_chain::Neuron) -> bool| {
            graph
                .neurons
                .iter()
                .filter(|it| read(it))
                .fold(0u64, |sum, it| sum.saturating_add(it.emission.0))
        };
        let all = athanor_spec::Rao(paid(|_| true));
        let slots = rules
            .max_allowed_uids
            .map_or(String::new(), |most| format!(" of {most}"));
        let reveal = match (rules.commit_reveal, self.reveal()) {
            (false, _) => "none: set openly".to_owned(),
            (true, Some((blocks, seconds))) => {
                let seconds =
                    seconds.map_or(String::new(), |it| format!(", {}", text::duration(it)));
                format!("in {blocks} blocks{seconds}")
            }
            (true, None) => "no commit waits".to_owned(),
        };
        let epoch = self
            .state
            .next_epoch()
            .map_or("-".to_owned(), |(blocks, time)| {
                let time = time.map_or(String::new(), |it| format!(", {}", text::duration(it)));
                format!("in {blocks} blocks{time}")
            });
        let rows = [
            ("block", graph.block.to_string()),
            ("next epoch", epoch),
            ("next reveal", reveal),
            ("last epoch paid", format!("{} TAO", tao(all))),
            ("registration", self.price()),
            ("slots taken", format!("{}{slots}", graph.neurons.len())),
            ("accused", accused.to_string()),
        ];
        let mut lines = vec![page::title("Subnet", 36, self.palette)];
        lines.extend(rows.into_iter().map(|(name, value)| {
            Line::from(vec![
                Span::styled(format!(" {name:<16}"), self.palette.dim),
                Span::raw(value),
            ])
        }));
        lines
    }

    fn price(&self) -> String {
        let Some(chain) = &self.state.chain else {
            return "-".to_owned();
        };
        match chain.rules.registration_allowed {
            Some(false) => "closed".to_owned(),
            _ => format!("{} TAO", tao(chain.rules.registration_price)),
        }
    }

    /// Blocks and time until the first commit can be revealed.
    pub(super) fn reveal(&self) -> Option<(u32, Option<std::time::Duration>)> {
        let chain = self.state.chain.as_ref()?;
        let graph = &chain.metagraph;
        let period = chain.rules.reveal_period.unwrap_or(1);
        let first = chain.votes.commits.iter().map(|it| it.epoch).min()?;
        let next = graph.schedule.next_epoch_block.0;
        let epochs = (first + period).saturating_sub(graph.schedule.epoch.0 + 1);
        let length = u64::from(chain.rules.tempo);
        let block = u64::from(next) + epochs * length;
        let blocks = u32::try_from(block.saturating_sub(graph.block.0.into())).ok()?;
        Some((blocks, self.state.time_for(blocks)))
    }

    fn alarms(&self, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width);
        let state = self.state;
        let mut lines = vec![page::title("Alarms", width, self.palette)];
        let mut raised: Vec<_> = state.peers.alarms.iter().collect();
        raised.sort_by_key(|(_, alarm)| alarm.severity != "page");
        for ((validator, name), alarm) in raised {
            let style = match alarm.severity.as_str() {
                "page" => self.palette.bad,
                _ => self.palette.warn,
            };
            let since = text::duration(state.now().saturating_sub(alarm.since));
            let text = format!(
                "! {} {name} for {since}: {}",
                state.name(validator),
                alarm.text
            );
            lines.extend(page::wrapped(&text, width, 2, style));
        }
        for (name, feed) in &state.feeds {
            let (text, style) = match feed {
                Link::Live => continue,
                Link::Connecting => (
                    format!("connecting to the events of {name}"),
                    self.palette.warn,
                ),
                Link::Lost { reason } => (
                    format!("! events of {name} are lost: {reason}"),
                    self.palette.bad,
                ),
            };
            lines.extend(page::wrapped(&text, width, 2, style));
        }
        if lines.len() == 1 {
            let text = match state.peers.validators.is_empty() {
                true => "none heard: no validator's events are watched",
                false => "none",
            };
            lines.extend(page::wrapped(text, width, 0, self.palette.dim));
        }
        let connected = state
            .feeds
            .values()
            .filter(|feed| **feed == Link::Live)
            .count();
        if connected > 0 {
            lines.push(Line::styled(
                format!("{connected} feeds of events connected"),
                self.palette.dim,
            ));
        }
        lines.truncate(area.height.into());
        lines
    }

    /// The accused, one a line, with what shows it of the selected one.
    fn found_out(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        accused: &[NeuronRow<'_>],
        seen: &mut Seen,
    ) {
        let width = usize::from(area.width);
        let title = "Found out (Enter: how, and what it cost)";
        let mut lines = vec![page::title(title, width, self.palette)];
        if accused.is_empty() {
            let text = match self.state.peers.miners.is_empty() {
                true => " nobody: faults are in the events of validators, and none were heard",
                false => " nobody: no validator accuses a miner of anything",
            };
            lines.push(Line::styled(text, self.palette.dim));
            return frame.render_widget(Paragraph::new(lines), area);
        }
        lines.push(Line::styled(
            format!(
                "  {:<NAME$} {:<16} {:<14} {:>9}",
                "MINER", "FAULT", "ACCUSED BY", "LOST TAO"
            ),
            self.palette.heading,
        ));
        let hotkeys: Vec<_> = accused.iter().map(|row| row.neuron.hotkey).collect();
        let selected = self.screen.selected_row(&hotkeys);
        let chosen = accused
            .get(selected.unwrap_or(0))
            .and_then(NeuronRow::fault);
        let evidence = chosen.map_or_else(Vec::new, |fault| {
            let meaning = text::meaning(&fault.kind).map_or(String::new(), |it| format!("{it}; "));
            let text = format!("{meaning}{}", self.state.named(&fault.evidence));
            page::wrapped(&text, width.saturating_sub(3), 0, self.palette.bad)
        });
        let room = usize::from(area.height)
            .saturating_sub(lines.len() + evidence.len().min(EVIDENCE))
            .max(1);
        let first = text::first_row(selected.unwrap_or(0), room, accused.len());
        for (at, row) in accused.iter().enumerate().skip(first).take(room) {
            lines.push(self.accused(row, selected == Some(at)));
        }
        let shown = accused.len().min(room);
        lines.extend(evidence.into_iter().take(EVIDENCE).map(|line| {
            let mut spans = vec![Span::raw("  ")];
            spans.extend(line.spans);
            Line::from(spans).style(line.style)
        }));
        seen.list = Rect {
            y: area.y + 2,
            height: u16::try_from(shown).unwrap_or(u16::MAX),
            ..area
        };
        seen.selected = selected.map(|at| at - first);
        seen.room.rows = u16::try_from(room).unwrap_or(u16::MAX);
        seen.room.first = first;
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn accused(&self, row: &NeuronRow<'_>, selected: bool) -> Line<'static> {
        let track = self.state.history.tracks.get(&row.neuron.hotkey);
        let lost = track.and_then(|track| self.lost(track));
        let lost = lost.map_or("not yet".to_owned(), |lost| format!("{lost:.4}"));
        let kind = row.fault().map_or("", |fault| fault.kind.as_str());
        let by = row.verdict().map_or(String::new(), |verdict| {
            format!("{} of {}", verdict.accusers, verdict.graders)
        });
        let name = text::cut(&self.state.name(&row.neuron.hotkey), NAME);
        let mark = if selected { '›' } else { ' ' };
        let line = Line::from(vec![
            Span::raw(format!("{mark} {name:<NAME$} ")),
            Span::styled(format!("{:<16}", text::cut(kind, 16)), self.palette.bad),
            Span::raw(format!(" {by:<14} {lost:>9}")),
        ]);
        match selected {
            true => line.style(self.palette.selected),
            false => line,
        }
    }

    /// Bars of what the last epoch paid, the largest first.
    fn pay(&self, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width).saturating_sub(2);
        let mut lines = vec![page::title(
            "Pay of the last epoch, TAO",
            width,
            self.palette,
        )];
        let order = Order {
            by: Sort::Emission,
            reversed: false,
        };
        let rows = self.state.rows(order, Filter::All, "");
        let most = rows.first().map_or(0, |row| row.neuron.emission.0).max(1);
        let room = usize::from(area.height).saturating_sub(1);
        for row in rows.iter().take(room) {
            let neuron = row.neuron;
            let name = text::cut(&self.state.name(&neuron.hotkey), NAME);
            let style = match (row.role, row.is_accused()) {
                (_, true) => self.palette.bad,
                (Role::Validator, _) => self.palette.validator,
                (Role::Miner, _) => self.palette.good,
            };
            let columns = width.saturating_sub(NAME + 14);
            lines.push(Line::from(vec![
                Span::raw(format!(" {} {name:<NAME$} ", row.role.letter())),
                Span::raw(format!("{:>8} ", text::amount(neuron.emission, 8))),
                Span::styled(
                    chart::bar(neuron.emission.0 as f64 / most as f64, columns),
                    style,
                ),
            ]));
        }
        lines
    }

    /// The newest lines of the log, the newest last.
    fn latest(&self, area: Rect) -> Vec<Line<'static>> {
        let title = "What happened last (8: all of it)";
        let mut lines = vec![page::title(title, area.width.into(), self.palette)];
        let room = usize::from(area.height).saturating_sub(1);
        let newest = self.state.log.lines().rev().take(room);
        let newest: Vec<_> = newest.map(|line| self.line_of(line, area.width)).collect();
        lines.extend(newest.into_iter().rev());
        lines
    }

    fn past(&self, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width);
        let history = &self.state.history;
        let mut lines = vec![page::title("Over the epochs seen", width, self.palette)];
        let curves = [
            ("emission, TAO", &history.paid),
            ("registration, TAO", &history.price),
        ];
        for (name, series) in curves {
            let points = series.resampled(width.saturating_sub(29));
            let most = points.iter().copied().fold(0.0, f64::max);
            let last = series
                .last()
                .map_or("-".to_owned(), |last| format!("{last:.4}"));
            lines.push(Line::from(vec![
                Span::styled(format!("{name:<18}"), self.palette.dim),
                Span::styled(
                    chart::spark(&points, Some((0.0, most))),
                    self.palette.series,
                ),
                Span::raw(format!(" {last}")),
            ]));
        }
        for (hotkey, validator) in &self.state.peers.validators {
            if let Some(round) = &validator.round {
                let done = round.total.answered + round.total.failed + round.total.void;
                let share = f64::from(done) / f64::from(round.planned.max(1));
                lines.push(Line::from(vec![
                    Span::styled(
                        format!("{:<18}", text::cut(&self.state.name(hotkey), 18)),
                        self.palette.dim,
                    ),
                    Span::styled(
                        chart::progress(share, width.saturating_sub(32)),
                        self.palette.series,
                    ),
                    Span::raw(format!(" {done}/{} asks", round.planned)),
                ]));
            }
        }
        lines.truncate(area.height.into());
        lines
    }
}
