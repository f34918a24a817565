//! Decide who is a functional copy: every later model against its nearest earlier one.
//!
//! Null: the later model was distilled independently, and is as far from earlier models as siblings of our own pipeline
//! are from each other. Statistic: the distance of behaviour to the nearest earlier model, and the distance of the weights
//! to the same one. Correction: each p-value pays for all earlier models (union bound), and over the later models, of which
//! each has one test, Bonferroni's holds the probability of any false verdict.
//!
//! "Similar" changes no pay: it says that siblings hardly come as near, or, with a null that is too small for a tail, that
//! none of it did. "Same class" needs both distances beyond the bound of the fitted tail, so that neither a model of
//! behaviour nor one of weights that is wrong in its tail merges anybody alone; or the weights alone beyond one that is a
//! thousand times stricter, and nearer by a margin than any two siblings are: noise makes a model speak differently long
//! before it makes its weights others'. Measured rates and power: `docs/similarity.md`.

use serde::Serialize;

use super::{
    behaviour,
    nearest::{self, Nearest},
    null::{Kind, NullSample, Tail},
    weights::{self, Signature},
};

/// Probability that any honest model of a population is put into another one's class, as far as the tails hold.
pub const ALPHA: f64 = 1e-3;
/// Probability that any honest model of a population is called similar, as far as the tail of the behaviour holds.
pub const SIMILAR: f64 = 0.05;

/// The same where the weights alone are to decide.
pub const ALPHA_WEIGHTS: f64 = ALPHA / 1000.0;
/// The weights alone decide only below this share of the smallest distance of two siblings.
pub const MARGIN: f64 = 0.8;
/// Later models that the error rates of [`CopyTest::against`] are held for: a full subnet but one.
pub const SUBNET: usize = 255;

/// A model to compare.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Log-probabilities in nats of the same tokens for all models.
    pub log_probabilities: &'a [f32],
    /// Its weights, where they were at hand.
    pub signature: Option<&'a Signature>,
}

/// What a model is to its nearest earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resemblance {
    /// No nearer than siblings are.
    Distinct,
    /// Nearer than any sibling of the null; shown, and without effect on pay.
    Similar,
    /// Beyond what independent distillation gives, by behaviour and by weights.
    SameClass,
}

/// One later model against its nearest earlier one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Index of the later model.
    pub later: usize,
    /// Index of the nearest earlier one.
    pub earlier: usize,
    /// Distance of behaviour, nats.
    pub behaviour: f64,
    /// Distance of the weights; `None` where they cannot be compared.
    pub weights: Option<f64>,
    /// Conformal p-value of the behaviour.
    pub p_conformal: f64,
    /// The smallest that it could have been.
    pub p_smallest: f64,
    /// Upper bound of the p-value by the fitted tail of the behaviour; `None` with too small a null.
    pub p_behaviour: Option<f64>,
    /// The same by the tail of the weights.
    pub p_weights: Option<f64>,
    /// The verdict.
    pub resemblance: Resemblance,
}

/// A null with its fitted tails.
#[derive(Clone, Debug)]
pub struct CopyTest {
    null: NullSample,
    behaviour: Option<Tail>,
    weights: Option<Tail>,
    /// Distance of the weights below which they alone may decide; 0 without a tail.
    decisive: f64,
}

impl CopyTest {
    /// Fits the tails of a null; `seed` draws their bootstraps.
    pub fn new(null: NullSample, seed: u64) -> Self {
        let behaviour = null.tail(Kind::Behaviour, seed);
        let weights = null.tail(Kind::Weights, seed);
        let smallest = null.nearest(Kind::Weights).into_iter().reduce(f64::min);
        let decisive = smallest.filter(|_| weights.is_some()).unwrap_or(0.0) * MARGIN;
        Self {
            null,
            behaviour,
            weights,
            decisive,
        }
    }

    /// The null.
    pub fn null(&self) -> &NullSample {
        &self.null
    }

    /// The fitted tail of a distance; `None` with too small a null.
    pub fn tail(&self, kind: Kind) -> Option<&Tail> {
        match kind {
            Kind::Behaviour => self.behaviour.as_ref(),
            Kind::Weights => self.weights.as_ref(),
        }
    }

    /// Compares every model with its nearest earlier one; the model of earliest priority comes first. Signatures must be
    /// made with [`NullSample::seed`]. `seed` draws the screen.
    pub fn run(&self, models: &[Model<'_>], seed: u64) -> Vec<Comparison> {
        let profiles: Vec<&[f32]> = models.iter().map(|model| model.log_probabilities).collect();
        let tests = models.len().saturating_sub(1);
        nearest::nearest_earlier(&profiles, seed)
            .into_iter()
            .enumerate()
            .filter_map(|(later, nearest)| {
                let Nearest { earlier, distance } = nearest?;
                let signatures = models[later].signature.zip(models[earlier].signature);
                // Weights are looked at only where behaviour makes them matter: they cost a thousand times as much.
                let judge = |weights| {
                    self.judge(later, earlier, f64::from(distance), weights, later, tests)
                };
                let by_behaviour = judge(None);
                match signatures.filter(|_| by_behaviour.resemblance > Resemblance::Distinct) {
                    Some((of_later, of_earlier)) => Some(judge(weights::distance(
                        of_later,
                        of_earlier,
                        self.null.seed,
                    ))),
                    None => Some(by_behaviour),
                }
            })
            .collect()
    }

    /// The verdict on a model and the nearest of others, by behaviour or by weights; `None` when it can be compared with none.
    /// The errors are those of a full subnet, whoever is there, so that a verdict does not depend on who else was looked at.
    pub fn against(&self, later: &Model<'_>, others: &[Model<'_>]) -> Option<Comparison> {
        let mut scratch = Vec::new();
        let mut distances = Vec::with_capacity(others.len());
        for other in others {
            let said = behaviour::distance(
                later.log_probabilities,
                other.log_probabilities,
                &mut scratch,
            );
            let made = later.signature.zip(other.signature);
            let made = made.and_then(|(a, b)| weights::distance(a, b, self.null.seed));
            distances.push((said.map_or(f64::INFINITY, f64::from), made));
        }
        let nearest = |by: fn(&(f64, Option<f64>)) -> f64| {
            let indices = 0..distances.len();
            indices.min_by(|a, b| by(&distances[*a]).total_cmp(&by(&distances[*b])))
        };
        let judge = |index: usize| {
            let (said, made) = distances[index];
            (said.is_finite() || made.is_some())
                .then(|| self.judge(others.len(), index, said, made, others.len(), SUBNET))
        };
        let said = nearest(|distances| distances.0).and_then(judge);
        let made = nearest(|distances| distances.1.unwrap_or(f64::INFINITY)).and_then(judge);
        let of_class = |it: &Comparison| it.resemblance == Resemblance::SameClass;
        said.clone()
            .filter(of_class)
            .or_else(|| made.filter(of_class))
            .or(said)
    }

    /// The verdict on two distances, for a later model that had `choice` earlier ones to be near to, one of `tests` such
    /// models.
    pub fn judge(
        &self,
        later: usize,
        earlier: usize,
        behaviour: f64,
        weights: Option<f64>,
        choice: usize,
        tests: usize,
    ) -> Comparison {
        let p_conformal = self.null.conformal_p(Kind::Behaviour, behaviour, choice);
        let p_smallest = self.null.smallest_p(Kind::Behaviour, choice);
        let bound = |kind, distance| Some(self.tail(kind)?.p_bound(distance, choice));
        let p_behaviour = bound(Kind::Behaviour, behaviour);
        let p_weights = weights.and_then(|distance| bound(Kind::Weights, distance));
        let beyond =
            |p: Option<f64>, alpha: f64| p.is_some_and(|p| p <= alpha / tests.max(1) as f64);
        let nearer_than_all =
            p_behaviour.is_none() && p_conformal <= p_smallest && p_smallest < 1.0;
        let decided =
            beyond(p_weights, ALPHA_WEIGHTS) && weights.is_some_and(|it| it < self.decisive);
        let resemblance = if decided || beyond(p_behaviour, ALPHA) && beyond(p_weights, ALPHA) {
            Resemblance::SameClass
        } else if beyond(p_behaviour, SIMILAR) || nearer_than_all {
            Resemblance::Similar
        } else {
            Resemblance::Distinct
        };
        Comparison {
            later,
            earlier,
            behaviour,
            weights,
            p_conformal,
            p_smallest,
            p_behaviour,
            p_weights,
            resemblance,
        }
    }
}

/// The class of every model: the index of the first model of its class, through all links of [`Resemblance::SameClass`].
pub fn classes(models: usize, comparisons: &[Comparison]) -> Vec<usize> {
    let mut class: Vec<usize> = (0..models).collect();
    let mut links: Vec<&Comparison> = comparisons
        .iter()
        .filter(|comparison| comparison.resemblance == Resemblance::SameClass)
        .collect();
    // Earlier models first: what a link leads to is then in its final class.
    links.sort_by_key(|comparison| comparison.later);
    for link in links {
        class[link.later] = class[link.earlier];
    }
    class
}

#[cfg(test)]
mod tests;
