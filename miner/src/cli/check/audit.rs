//! The replay that a validator would make of the answers that were just given.

use athanor_model::{
    Checkpoint, DeviceChoice, sampler,
    scorer::{LoadError, ScoreError, Scorer},
};
use athanor_scoring::evidence::{Calibration, HotkeyEvidence, TokenObservation};
use athanor_spec::{Answer, Ask, params::AuditParams};
use thiserror::Error;

/// Evidence at which an honest miner is unlucky once in a hundred times, at most.
const SUSPICIOUS: f64 = 100.0;

/// What the replays say together.
pub(super) struct Verdict {
    /// Tokens that were replayed.
    pub(super) tokens: usize,
    /// Of these, the ones that the replay would not have drawn.
    pub(super) others: usize,
    /// Largest margin by which the replay prefers another token, in units of logits over temperature.
    pub(super) margin: f32,
    /// Evidence that the answers are not the checkpoint's: at most 1 is expected of an honest miner.
    pub(super) evidence: f64,
}

/// Why nothing was replayed.
#[derive(Debug, Error)]
pub(crate) enum AuditError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Score(#[from] ScoreError),
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.evidence < SUSPICIOUS
    }
}

/// Replays answers in f32 against the table that ships. Blocking.
pub(super) fn replay(
    checkpoint: &Checkpoint,
    device: DeviceChoice,
    params: &AuditParams,
    answers: &[(Ask, Answer)],
) -> Result<Verdict, AuditError> {
    let scorer = Scorer::load(checkpoint, device)?;
    let calibration = Calibration::shipped();
    let mut hotkey = HotkeyEvidence::default();
    let mut verdict = Verdict {
        tokens: 0,
        others: 0,
        margin: 0.0,
        evidence: 1.0,
    };
    for (ask, answer) in answers {
        let sequence = [ask.prompt.as_slice(), &answer.tokens].concat();
        let logits = scorer.logits(&sequence, ask.prompt.len())?;
        let observed: Vec<TokenObservation> = answer
            .tokens
            .iter()
            .enumerate()
            .map(|(t, token)| {
                let step = t as u32;
                let seen =
                    sampler::observe(logits.row(t), *token, ask.temperature(), ask.seed, step);
                TokenObservation {
                    margin: seen.margin,
                    gap: seen.gap,
                }
            })
            .collect();
        verdict.tokens += observed.len();
        verdict.others += observed.iter().filter(|it| it.margin > 0.0).count();
        let largest = observed.iter().map(|it| it.margin);
        verdict.margin = largest.fold(verdict.margin, f32::max);
        if ask.temperature_milli > 0 {
            hotkey.observe(params, calibration.request_e_value(&observed));
        }
    }
    verdict.evidence = hotkey.e_value(params);
    Ok(verdict)
}
