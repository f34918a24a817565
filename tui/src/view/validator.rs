//! One validator: its votes against the consensus, the bonds that grew from them, and how much of them is its own.

use athanor_scoring::collusion::weight_copying::Standing;
use athanor_spec::Uid;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, chart, page, text};
use crate::state::{Filter, NeuronRow, Order};

/// Miners listed one by one.
const MOST_MINERS: usize = 64;
/// Validators whose bonds are shown: as many as a subnet has.
const MOST_VALIDATORS: usize = 64;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let subject = canvas.screen.subject(canvas.state);
    let Some(neuron) = subject.and_then(|hotkey| canvas.state.neuron(&hotkey)) else {
        return frame.render_widget(Paragraph::new(" The subnet has no validator yet."), area);
    };
    let row = canvas.state.row(neuron);
    let width = page::width(area);
    let mut left = canvas.identity(&row, width);
    left.extend(canvas.why(&row, width));
    left.extend(canvas.standing(&row, width));
    left.extend(canvas.weights(&row, width));
    let mut right = canvas.innovation(&row, width);
    right.extend(canvas.bonds(&row, width));
    page::render(frame, area, left, right, canvas.screen.scrolled(), seen);
}

impl Canvas<'_> {
    /// Round, knowledge, commit, countdowns.
    fn standing(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title("Round and weights", width, self.palette)];
        let neuron = row.neuron;
        let mut facts = Vec::new();
        if let Some(chain) = &self.state.chain {
            let mine = chain.votes.commits.iter().filter(|it| it.uid == neuron.uid);
            let waiting: Vec<String> = mine
                .map(|it| {
                    let block = it
                        .block
                        .map_or(String::new(), |block| format!(" in block {block}"));
                    let how = if it.timelocked {
                        "opens by itself"
                    } else {
                        "it has to reveal it"
                    };
                    format!("of epoch {}{block} ({how})", it.epoch)
                })
                .collect();
            facts.push(match (chain.rules.commit_reveal, waiting.is_empty()) {
                (false, _) => "weights are set openly: nothing is committed first".to_owned(),
                (true, true) => "no commit of its waits for its reveal".to_owned(),
                (true, false) => {
                    format!("commits that wait for their reveal: {}", waiting.join(", "))
                }
            });
            facts.push(format!(
                "weights last updated in block {}, {} blocks ago",
                neuron.last_update,
                chain.metagraph.block.0.saturating_sub(neuron.last_update.0)
            ));
        }
        if let Some(known) = self.state.peers.validators.get(&neuron.hotkey) {
            if let Some(round) = &known.round {
                facts.push(format!(
                    "round {}: {} of {} asks sent, {} answered, {} opened, {} failed",
                    round.round,
                    round.total.asked,
                    round.planned,
                    round.total.answered,
                    round.total.opened,
                    round.total.failed
                ));
            }
            if let Some(learnt) = &known.learnt {
                let sets = if learnt.sets_weights {
                    "it sets weights"
                } else {
                    "it sets no weights yet"
                };
                facts.push(format!(
                    "knows {} of {} miners well enough, {} needed: {sets}",
                    learnt.known, learnt.miners, learnt.needed
                ));
            }
            if let Some(commit) = &known.commit {
                let became = match commit.revealed {
                    None => "waits",
                    Some(true) => "was revealed",
                    Some(false) => "was not revealed in time",
                };
                facts.push(format!(
                    "its last commit, of block {}, can be revealed from block {} on: it {became}",
                    commit.block, commit.reveal_block
                ));
            }
            if let Some(cutoff) = known.due.and_then(|due| due.activity_cutoff) {
                facts.push(format!(
                    "its weights count for {cutoff} more blocks if it sets no new ones"
                ));
            }
        } else {
            facts.push("no events of it were heard: rounds and alarms are not on chain".to_owned());
        }
        for fact in facts {
            lines.extend(page::wrapped(&fact, width, 2, self.palette.dim));
        }
        lines
    }

    /// Its weight for each miner beside the consensus, both as parts of a whole row.
    fn weights(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title(
            "Weights against consensus",
            width,
            self.palette,
        )];
        let Some(chain) = &self.state.chain else {
            return lines;
        };
        let found = chain
            .votes
            .weights
            .iter()
            .find(|(uid, _)| *uid == row.neuron.uid);
        let Some((_, weights)) = found else {
            lines.push(Line::styled("none on chain", self.palette.dim));
            return lines;
        };
        let all: f64 = weights.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let agreed: f64 = chain
            .metagraph
            .neurons
            .iter()
            .map(|it| f64::from(it.consensus))
            .sum();
        let part = |weight: u16, all: f64| f64::from(weight) / all.max(1.0);
        let mut rows: Vec<(Uid, f64, f64)> = weights
            .iter()
            .filter_map(|(uid, weight)| {
                let neuron = chain.metagraph.by_uid(*uid)?;
                Some((*uid, part(*weight, all), part(neuron.consensus, agreed)))
            })
            .collect();
        rows.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let most = rows.iter().map(|row| row.1.max(row.2)).fold(0.0, f64::max);
        let columns = width.saturating_sub(44).clamp(6, 40);
        lines.push(Line::styled(
            format!(
                "{:<18}{:>7} {:>9} {:>6}",
                "MINER", "WEIGHT", "CONSENSUS", "DIFF"
            ),
            self.palette.heading,
        ));
        for (uid, weight, consensus) in rows.iter().take(MOST_MINERS) {
            let difference = (weight - consensus) * 100.0;
            let style = match difference.abs() > 5.0 {
                true => self.palette.warn,
                false => self.palette.dim,
            };
            lines.push(Line::from(vec![
                Span::raw(format!(
                    "{:<18}{:>6.1}% {:>8.1}% ",
                    text::cut(&self.validator_name(*uid), 17),
                    weight * 100.0,
                    consensus * 100.0
                )),
                Span::styled(format!("{:>6} ", text::signed(difference, 1)), style),
                Span::styled(
                    chart::bar(weight / most.max(1e-9), columns),
                    self.palette.series,
                ),
            ]));
        }
        if rows.len() > MOST_MINERS {
            lines.push(Line::styled(
                format!("and {} more", rows.len() - MOST_MINERS),
                self.palette.dim,
            ));
        }
        lines
    }

    fn innovation(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title("Are its weights its own?", width, self.palette)];
        let found = self
            .state
            .findings
            .copying
            .iter()
            .find(|found| found.validator == row.neuron.hotkey);
        let Some(found) = found else {
            let text = "Not known yet: it takes two epochs whose votes were seen.";
            lines.extend(page::wrapped(text, width, 0, self.palette.dim));
            return lines;
        };
        let (standing, style) = self.standing_of(found.standing);
        let unit = |value: f64| (value + 1.0) / 2.0;
        lines.push(Line::from(vec![
            Span::raw(format!("correlation {:+.2} ", found.correlation)),
            Span::styled(
                chart::interval(
                    unit(found.interval.0),
                    unit(found.correlation),
                    unit(found.interval.1),
                    31,
                ),
                self.palette.series,
            ),
            Span::raw(format!(
                " {:+.2} to {:+.2}",
                found.interval.0, found.interval.1
            )),
        ]));
        let text = format!(
            "p {} over {} epochs: {standing}",
            text::scientific(found.p_value),
            self.state.findings.epochs
        );
        lines.push(Line::styled(text, style));
        let text = "What is new in its weights since the last consensus, against what is new in the others': a copier \
                    knows nothing new, and correlates by about 0.";
        lines.extend(page::wrapped(text, width, 0, self.palette.dim));
        lines
    }

    /// How a standing is said and looks.
    pub(super) fn standing_of(&self, standing: Standing) -> (&'static str, ratatui::style::Style) {
        match standing {
            Standing::Open => ("open: too little is known", self.palette.dim),
            Standing::Independent => ("independent", self.palette.good),
            Standing::LooksCopied => ("looks copied", self.palette.bad),
        }
    }

    /// Everybody's bonds as heat: validators down, miners across; the subject's row is marked.
    fn bonds(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title(
            "Bonds: validators down, miners across",
            width,
            self.palette,
        )];
        let Some(chain) = &self.state.chain else {
            return lines;
        };
        if chain.votes.bonds.is_empty() {
            lines.push(Line::styled("none on chain yet", self.palette.dim));
            return lines;
        }
        let miners = self.state.rows(Order::default(), Filter::Miners, "");
        let miners: Vec<Uid> = miners.iter().map(|row| row.neuron.uid).collect();
        let room = width.saturating_sub(20).max(2);
        // With more miners than there is room for, a column is the largest bond of several that follow each other.
        let apart = miners.len() * 2 <= room;
        let together = match apart {
            true => 1,
            false => miners.len().div_ceil(room),
        };
        let digits: String = match apart {
            true => miners
                .iter()
                .map(|uid| format!("{:>2}", uid.0 % 100))
                .collect(),
            false => span(&miners, miners.len().div_ceil(together)),
        };
        lines.push(Line::styled(
            format!("{:<19}{digits}", "UID"),
            self.palette.heading,
        ));
        // Rows are as long as the subnet is large: each is read once, whatever is shown of it.
        let mut columns = vec![None; chain.metagraph.neurons.len()];
        for (at, uid) in miners.iter().enumerate() {
            columns[usize::from(uid.0)] = Some(at / together);
        }
        let rows = chain.votes.bonds.iter().take(MOST_VALIDATORS);
        let shown: Vec<(Uid, Vec<u16>)> = rows
            .map(|(uid, bonds)| {
                let mut cells = vec![0; miners.len().div_ceil(together)];
                for (to, bond) in bonds {
                    if let Some(Some(at)) = columns.get(usize::from(to.0)) {
                        cells[*at] = cells[*at].max(*bond);
                    }
                }
                (*uid, cells)
            })
            .collect();
        let bonds = shown.iter().flat_map(|(_, cells)| cells);
        let most = bonds.copied().max().unwrap_or(0).max(1);
        for (uid, bonds) in &shown {
            let shade = |bond: &u16| chart::heat(f64::from(*bond) / f64::from(most));
            let cells: String = match apart {
                true => bonds.iter().flat_map(|bond| [' ', shade(bond)]).collect(),
                false => bonds.iter().map(shade).collect(),
            };
            let mark = if *uid == row.neuron.uid { '›' } else { ' ' };
            lines.push(Line::from(vec![
                Span::raw(format!(
                    "{mark}{:<18}",
                    text::cut(&self.validator_name(*uid), 17)
                )),
                Span::styled(cells, self.palette.series),
            ]));
        }
        let several = match together {
            1 => String::new(),
            _ => format!("; a column is the largest of {together} miners"),
        };
        let text = format!(
            "█ is the largest bond, {}; · is none{several}",
            text::share(most)
        );
        lines.extend(page::wrapped(&text, width, 2, self.palette.dim));
        lines
    }
}

/// The first and the last UID over columns of several miners.
fn span(miners: &[Uid], columns: usize) -> String {
    match (miners.first(), miners.last()) {
        (Some(first), Some(last)) => {
            let (first, last) = (first.to_string(), last.to_string());
            let gap = columns.saturating_sub(first.len() + last.len());
            format!("{first}{}{last}", " ".repeat(gap))
        }
        _ => String::new(),
    }
}
