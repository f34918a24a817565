//! The chain: the rules with a what-if, and what the last blocks did.

use athanor_chain::Hyperparameters;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, chart, page, text};
use crate::{
    state::{Knob, Pay, with_names},
    table::tao,
};

/// Columns of the rules.
const RULES: u16 = 40;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let Some(chain) = &canvas.state.chain else {
        return;
    };
    let top = u16::try_from(Knob::ALL.len() + 1).unwrap_or(u16::MAX);
    let others = canvas.others(&chain.rules);
    let tall = area.height >= 36;
    let upper = if tall { top + 12 } else { top };
    let [upper, lower] =
        Layout::vertical([Constraint::Length(upper), Constraint::Fill(1)]).areas(area);
    let [rules, pays] =
        Layout::horizontal([Constraint::Length(RULES), Constraint::Fill(1)]).areas(upper);
    let mut lines = canvas.knobs(&chain.rules);
    if tall {
        lines.extend(others);
    }
    frame.render_widget(Paragraph::new(lines), rules);
    frame.render_widget(Paragraph::new(canvas.what_if(pays)), pays);
    frame.render_widget(Paragraph::new(canvas.activity(lower)), lower);
    seen.list = Rect {
        y: rules.y + 1,
        height: top - 1,
        ..rules
    };
    seen.selected = None;
    seen.room.rows = top;
}

impl Canvas<'_> {
    /// The rules that an epoch depends on; what was turned stands beside what is.
    fn knobs(&self, rules: &Hyperparameters) -> Vec<Line<'static>> {
        let asked = self.state.what_if.as_ref().map(|it| &it.rules);
        let mut lines = vec![page::title(
            "Rules (← → turn, r resets)",
            usize::from(RULES) - 2,
            self.palette,
        )];
        for knob in Knob::ALL {
            let value = knob.value(rules);
            let other = asked
                .map(|asked| knob.value(asked))
                .filter(|other| *other != value);
            let selected = knob == self.screen.knob();
            let line = Line::from(vec![
                Span::raw(if selected { "› " } else { "  " }),
                Span::styled(format!("{:<18}", knob.name()), self.palette.dim),
                Span::raw(value),
                Span::styled(
                    other.map_or(String::new(), |other| format!(" → {other}")),
                    self.palette.warn,
                ),
            ]);
            lines.push(if selected {
                line.style(self.palette.selected)
            } else {
                line
            });
        }
        lines
    }

    /// The rules that change no epoch's arithmetic.
    fn others(&self, rules: &Hyperparameters) -> Vec<Line<'static>> {
        let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        let price = |value: Option<athanor_spec::Rao>| {
            value.map_or("-".to_owned(), |it| format!("{} TAO", tao(it)))
        };
        [
            ("tempo", format!("{} blocks", rules.tempo)),
            (
                "registration",
                format!("{} TAO", tao(rules.registration_price)),
            ),
            (
                "min, max burn",
                format!("{}, {}", price(rules.min_burn), price(rules.max_burn)),
            ),
            ("max_uids", number(rules.max_allowed_uids.map(Into::into))),
            (
                "immunity_period",
                number(rules.immunity_period.map(Into::into)),
            ),
            (
                "min_weights",
                number(rules.min_allowed_weights.map(Into::into)),
            ),
            ("weights_rate_limit", rules.weights_rate_limit.to_string()),
            ("weights_version", rules.weights_version.to_string()),
            (
                "commit_reveal",
                match rules.commit_reveal {
                    true => format!("on, {} epochs", number(rules.reveal_period)),
                    false => "off".to_owned(),
                },
            ),
        ]
        .into_iter()
        .map(|(name, value)| {
            Line::from(vec![
                Span::styled(format!("  {name:<18}"), self.palette.dim),
                Span::raw(value),
            ])
        })
        .collect()
    }

    fn what_if(&self, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width).saturating_sub(1);
        let mut lines = vec![page::title(
            "What if: the next epoch by these votes",
            width,
            self.palette,
        )];
        let Some(asked) = &self.state.what_if else {
            let text = "Turn a rule with ← and → (or - and +): everybody's share of the next epoch is computed anew by \
                        the chain's own arithmetic from the weights, bonds and stakes of now, and stands here beside \
                        what the rules of now give. Nothing is sent to the chain.";
            lines.extend(page::wrapped(text, width, 0, self.palette.dim));
            return lines;
        };
        lines.push(Line::styled(
            format!("{:<13}{:>7} {:>7} {:>7}", "PAY", "NOW", "THEN", "CHANGE"),
            self.palette.heading,
        ));
        let total = |pays: &[Pay]| {
            pays.iter()
                .map(|it| it.emission as f64)
                .sum::<f64>()
                .max(1.0)
        };
        let (now, then) = (total(&asked.now), total(&asked.then));
        let mut rows: Vec<_> = asked
            .now
            .iter()
            .zip(&asked.then)
            .map(|(before, after)| {
                let (before, after_share) =
                    (before.emission as f64 / now, after.emission as f64 / then);
                (after.uid, before, after_share)
            })
            .filter(|(_, before, after)| *before > 0.0 || *after > 0.0)
            .collect();
        let change = |row: &(athanor_spec::Uid, f64, f64)| (row.2 - row.1).abs();
        // Whom it concerns most comes first.
        rows.sort_by(|a, b| change(b).total_cmp(&change(a)).then(a.0.cmp(&b.0)));
        let room = usize::from(area.height).saturating_sub(lines.len());
        let columns = width.saturating_sub(40).min(30);
        for (uid, before, after) in rows.into_iter().take(room) {
            let change = (after - before) * 100.0;
            let style = match change {
                ..-0.005 => self.palette.bad,
                0.005.. => self.palette.good,
                _ => self.palette.dim,
            };
            lines.push(Line::from(vec![
                Span::raw(format!(
                    "{:<13}{:>6.2}% {:>6.2}% ",
                    text::cut(&self.validator_name(uid), 12),
                    before * 100.0,
                    after * 100.0
                )),
                Span::styled(format!("{:>7} ", text::signed(change, 2)), style),
                Span::styled(chart::bar(after, columns), self.palette.series),
            ]));
        }
        lines
    }

    /// Extrinsics and events of the last blocks, the newest at the top.
    fn activity(&self, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width).saturating_sub(1);
        let activity = &self.state.activity;
        let mut lines = vec![page::title(
            "Extrinsics and events, the newest first",
            width,
            self.palette,
        )];
        let mut rows: Vec<(u32, u8, Line<'static>)> = Vec::new();
        let room = usize::from(area.height).saturating_sub(1);
        for extrinsic in activity.extrinsics.iter().rev().take(room) {
            let who = extrinsic
                .signer
                .map_or("-".to_owned(), |signer| self.state.name(&signer));
            let (done, style) = match extrinsic.success {
                true => ("ok", self.palette.good),
                false => ("failed", self.palette.bad),
            };
            let text = format!("{} by {who} {}", extrinsic.call, extrinsic.hash.short());
            rows.push((
                extrinsic.block.0,
                1,
                Line::from(vec![
                    Span::styled(format!(" #{:<8}", extrinsic.block.0), self.palette.dim),
                    Span::raw("call   "),
                    Span::raw(text::cut(&text, width.saturating_sub(26))),
                    Span::styled(format!(" {done}"), style),
                ]),
            ));
        }
        for it in activity.events.iter().rev().take(room) {
            let text = {
                let fields = with_names(&it.event.fields, |hotkey| self.state.name(hotkey));
                format!("{} {fields}", it.event.name)
            };
            rows.push((
                it.block.0,
                0,
                Line::from(vec![
                    Span::styled(format!(" #{:<8}", it.block.0), self.palette.dim),
                    Span::styled("event  ", self.palette.dim),
                    Span::styled(text::cut(&text, width.saturating_sub(18)), Style::new()),
                ]),
            ));
        }
        rows.sort_by_key(|(block, kind, _)| std::cmp::Reverse((*block, *kind)));
        if rows.is_empty() {
            lines.push(Line::styled(
                " none since this began to watch",
                self.palette.dim,
            ));
        }
        lines.extend(rows.into_iter().take(room).map(|(_, _, line)| line));
        lines
    }
}
