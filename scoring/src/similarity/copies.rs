//! Decide who is a functional copy: every later model against its nearest earlier one.
//!
//! Null: the later model was distilled independently, and is as far from earlier models as siblings of our own pipeline
//! are from each other. Statistic: the distance of behaviour to the nearest earlier model, and the distance of the weights
//! to the same one. Correction: each p-value pays for all earlier models (union bound), and over the later models, of which
//! each has one test, Bonferroni's holds the probability of any false verdict.
//!
//! "Similar" changes no pay: it says that siblings hardly come as near, or, with a null that is too small for a tail, that
//! none of it did. "Same class" needs both distances beyond the bound of the fitted tail, so that neither a model of
//! behaviour nor one of weights that is wrong in its tail merges anybody alone; or one of two that decide alone beyond a
//! bound that is a thousand times stricter, and by a margin: the weights, nearer than any two siblings are, as noise makes
//! a model speak differently long before it makes its weights others'; or the innovation ([`super::innovation`]), of which a copy
//! with so much noise that its weights are others' still has more in common with its original than students that were
//! trained alike have anyway. Measured rates and power: `docs/similarity.md`.

use serde::Serialize;

use super::{
    behaviour,
    innovation::Innovation,
    nearest::{self, Nearest},
    null::{Kind, NullSample, Tail},
    weights::{self, Signature},
};

/// Probability that any honest model of a population is put into another one's class, as far as the tails hold.
pub const ALPHA: f64 = 1e-3;
/// Probability that any honest model of a population is called similar, as far as the tail of the behaviour holds.
pub const SIMILAR: f64 = 0.05;

/// The same where the weights, or the innovation, are to decide alone.
pub const ALPHA_ALONE: f64 = ALPHA / 1000.0;
/// The weights alone decide only below this share of the smallest distance of two siblings.
pub const MARGIN: f64 = 0.8;
/// The innovation alone decides only when this share is common beyond what is expected.
pub const SHARED: f64 = 0.2;
/// What is expected where too few others tell: with it the innovation decides from .7 in common on, which is more than the
/// weights of a copy leave undecided, unless they are padded.
pub const UNTOLD: f64 = 0.625;
/// Fewest others that tell what is expected of two models.
const MIN_OTHERS: usize = 4;
/// Others that are asked at most, evenly chosen.
const MAX_OTHERS: usize = 16;
/// Rounds in which loadings are fitted: after some ten they hardly change.
const FITS: usize = 20;
/// Largest share that is expected of anybody.
const MAX_EXPECTED: f64 = 0.9;
/// Later models that the error rates of [`CopyTest::against`] are held for: a full subnet but one.
pub const SUBNET: usize = 255;

/// A model to compare.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Log-probabilities in nats of the same tokens for all models.
    pub log_probabilities: &'a [f32],
    /// Its weights, where they were at hand.
    pub signature: Option<&'a Signature>,
    /// What it has of its own beside the teacher, where that can be told.
    pub innovation: Option<&'a Innovation>,
    /// Whether it is known for somebody else's.
    pub is_copy: bool,
}

/// How near two models are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Distance of behaviour, nats; infinite where it cannot be compared.
    pub behaviour: f64,
    /// Distance of the weights; `None` where they cannot be compared.
    pub weights: Option<f64>,
    /// Share of their innovations that both have; `None` where they cannot be compared.
    pub shared: Option<f64>,
    /// The share that was to be expected of the two; [`UNTOLD`] where too few others tell.
    pub expected: f64,
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
    /// How near they are.
    pub measured: Measured,
    /// Conformal p-value of the behaviour.
    pub p_conformal: f64,
    /// The smallest that it could have been.
    pub p_smallest: f64,
    /// Upper bound of the p-value by the fitted tail of the behaviour; `None` with too small a null.
    pub p_behaviour: Option<f64>,
    /// The same by the tail of the weights.
    pub p_weights: Option<f64>,
    /// The same by the tail of the innovation.
    pub p_shared: Option<f64>,
    /// The verdict.
    pub resemblance: Resemblance,
}

/// A null with its fitted tails.
#[derive(Clone, Debug)]
pub struct CopyTest {
    null: NullSample,
    behaviour: Option<Tail>,
    weights: Option<Tail>,
    innovation: Option<Tail>,
    /// Distance of the weights below which they alone may decide; 0 without a tail.
    decisive: f64,
}

impl CopyTest {
    /// Fits the tails of a null; `seed` draws their bootstraps.
    pub fn new(null: NullSample, seed: u64) -> Self {
        let behaviour = null.tail(Kind::Behaviour, seed);
        let weights = null.tail(Kind::Weights, seed);
        let innovation = null.tail(Kind::Innovation, seed);
        let smallest = null.nearest(Kind::Weights).into_iter().reduce(f64::min);
        let decisive = smallest.filter(|_| weights.is_some()).unwrap_or(0.0) * MARGIN;
        Self {
            null,
            behaviour,
            weights,
            innovation,
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
            Kind::Innovation => self.innovation.as_ref(),
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
                let judge = |measured| self.judge(later, earlier, measured, later, tests);
                let said = Measured {
                    behaviour: f64::from(distance),
                    weights: None,
                    shared: None,
                    expected: UNTOLD,
                };
                let by_behaviour = judge(said);
                // Weights are looked at only where behaviour makes them matter: they cost a thousand times as much.
                match by_behaviour.resemblance {
                    Resemblance::Distinct => Some(by_behaviour),
                    Resemblance::Similar | Resemblance::SameClass => Some(judge(Measured {
                        behaviour: said.behaviour,
                        ..self.made(&models[later], &models[earlier])
                    })),
                }
            })
            .collect()
    }

    /// The verdict on a model and the nearest of others, by behaviour or by weights; `None` when it can be compared with none.
    /// The errors are those of a full subnet, whoever is there, so that a verdict does not depend on who else was looked at.
    pub fn against(&self, later: &Model<'_>, others: &[Model<'_>]) -> Option<Comparison> {
        let mut scratch = Vec::new();
        let mut measured: Vec<Measured> = others
            .iter()
            .map(|other| self.measure(later, other, &mut scratch))
            .collect();
        for (measured, expected) in measured.iter_mut().zip(expected(later, others)) {
            measured.expected = expected;
        }
        let nearest = |by: fn(&Measured) -> f64| {
            let indices = 0..measured.len();
            indices.min_by(|a, b| by(&measured[*a]).total_cmp(&by(&measured[*b])))
        };
        let judge = |index: usize| {
            let measured = measured[index];
            let known = measured.is_known();
            known.then(|| self.judge(others.len(), index, measured, others.len(), SUBNET))
        };
        let said = nearest(|it| it.behaviour).and_then(judge);
        let made = nearest(|it| it.weights.unwrap_or(f64::INFINITY)).and_then(judge);
        let own =
            nearest(|it| it.beyond_expected().map_or(f64::INFINITY, |it| -it)).and_then(judge);
        let of_class = [&said, &made, &own]
            .into_iter()
            .flatten()
            .find(|it| it.resemblance == Resemblance::SameClass);
        of_class.cloned().or(said)
    }

    /// The verdict on two models of which all is measured, as if there were no others; `None` when nothing is.
    pub fn of_pair(&self, measured: Measured) -> Option<Comparison> {
        let known = measured.is_known();
        known.then(|| self.judge(1, 0, measured, 1, SUBNET))
    }

    /// How near a later model is to an earlier one. `scratch` keeps its allocation from call to call.
    pub fn measure(
        &self,
        later: &Model<'_>,
        earlier: &Model<'_>,
        scratch: &mut Vec<f32>,
    ) -> Measured {
        let said = behaviour::distance(later.log_probabilities, earlier.log_probabilities, scratch);
        Measured {
            behaviour: said.map_or(f64::INFINITY, f64::from),
            ..self.made(later, earlier)
        }
    }

    /// The same without what they say.
    fn made(&self, later: &Model<'_>, earlier: &Model<'_>) -> Measured {
        let signatures = later.signature.zip(earlier.signature);
        let innovations = later.innovation.zip(earlier.innovation);
        Measured {
            behaviour: f64::INFINITY,
            weights: signatures.and_then(|(a, b)| weights::distance(a, b, self.null.seed)),
            shared: innovations.and_then(|(a, b)| a.shared(b)),
            expected: UNTOLD,
        }
    }

    /// The verdict on how near two models are, for a later one that had `choice` earlier ones to be near to, one of `tests`
    /// such models.
    pub fn judge(
        &self,
        later: usize,
        earlier: usize,
        measured: Measured,
        choice: usize,
        tests: usize,
    ) -> Comparison {
        let Measured {
            behaviour,
            weights,
            shared,
            ..
        } = measured;
        let p_conformal = self.null.conformal_p(Kind::Behaviour, behaviour, choice);
        let p_smallest = self.null.smallest_p(Kind::Behaviour, choice);
        let bound = |kind, distance| Some(self.tail(kind)?.p_bound(distance, choice));
        let p_behaviour = bound(Kind::Behaviour, behaviour);
        let p_weights = weights.and_then(|distance| bound(Kind::Weights, distance));
        let p_shared = shared.and_then(|shared| bound(Kind::Innovation, 1.0 - shared));
        let beyond =
            |p: Option<f64>, alpha: f64| p.is_some_and(|p| p <= alpha / tests.max(1) as f64);
        let nearer_than_all =
            p_behaviour.is_none() && p_conformal <= p_smallest && p_smallest < 1.0;
        let by_weights =
            beyond(p_weights, ALPHA_ALONE) && weights.is_some_and(|it| it < self.decisive);
        let by_innovation = beyond(p_shared, ALPHA_ALONE)
            && measured.beyond_expected().is_some_and(|it| it >= SHARED);
        let by_both = beyond(p_behaviour, ALPHA) && beyond(p_weights, ALPHA);
        let resemblance = if by_weights || by_innovation || by_both {
            Resemblance::SameClass
        } else if beyond(p_behaviour, SIMILAR) || nearer_than_all {
            Resemblance::Similar
        } else {
            Resemblance::Distinct
        };
        Comparison {
            later,
            earlier,
            measured,
            p_conformal,
            p_smallest,
            p_behaviour,
            p_weights,
            p_shared,
            resemblance,
        }
    }
}

impl Measured {
    fn is_known(&self) -> bool {
        self.behaviour.is_finite() || self.weights.is_some() || self.shared.is_some()
    }

    /// The share in common of what is not expected to be: the partial correlation of the innovations.
    fn beyond_expected(&self) -> Option<f64> {
        Some((self.shared? - self.expected) / (1.0 - self.expected))
    }
}

/// The share of innovation that a later model is expected to have in common with each of the others.
///
/// Training moves all students of a teacher partly the same way, and the further the longer they train. By a model of one
/// common factor (Spearman, 1904) two of them share the product of their loadings. The loadings of others are fitted to
/// what they share with each other (least squares, one after the other), those of the two to what they share with these.
/// Models that are known for copies are not asked, as they would let everybody else's copies of the same original pass. At
/// least as much is expected as each of the two shares with half of the others.
fn expected(later: &Model<'_>, others: &[Model<'_>]) -> Vec<f64> {
    let asked: Vec<usize> = (0..others.len())
        .filter(|index| others[*index].innovation.is_some() && !others[*index].is_copy)
        .collect();
    let asked: Vec<usize> = match asked.len() <= MAX_OTHERS + 1 {
        true => asked,
        false => (0..=MAX_OTHERS)
            .map(|i| asked[i * (asked.len() - 1) / MAX_OTHERS])
            .collect(),
    };
    let shared = |a: &Model<'_>, b: &Model<'_>| {
        let both = a.innovation.zip(b.innovation);
        both.and_then(|(a, b)| a.shared(b)).unwrap_or(0.0)
    };
    let with = |model: &Model<'_>| -> Vec<f64> {
        asked
            .iter()
            .map(|other| shared(model, &others[*other]))
            .collect()
    };
    let between: Vec<Vec<f64>> = asked.iter().map(|other| with(&others[*other])).collect();
    let of_later = with(later);
    let of_pair = |index: usize| {
        let thirds: Vec<usize> = (0..asked.len()).filter(|at| asked[*at] != index).collect();
        if thirds.len() < MIN_OTHERS {
            return UNTOLD;
        }
        let of_other = with(&others[index]);
        let loadings = loadings(&thirds, &between);
        let fitted = |shares: &[f64]| {
            let of_thirds = thirds.iter().map(|third| shares[*third]);
            loading(of_thirds.zip(loadings.iter().copied()))
        };
        let median = |shares: &[f64]| {
            let mut of_thirds: Vec<f64> = thirds.iter().map(|third| shares[*third]).collect();
            let middle = of_thirds.len() / 2;
            *of_thirds.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        let by_factor = fitted(&of_later) * fitted(&of_other);
        let expected = by_factor.max(median(&of_later)).max(median(&of_other));
        expected.clamp(0.0, MAX_EXPECTED)
    };
    (0..others.len()).map(of_pair).collect()
}

/// Loadings of some of the models on one common factor, by what each shares with each.
fn loadings(of: &[usize], between: &[Vec<f64>]) -> Vec<f64> {
    let mut loadings = vec![1.0; of.len()];
    for _ in 0..FITS {
        for index in 0..of.len() {
            let others = (0..of.len()).filter(|other| *other != index);
            let shares = others.map(|other| (between[of[index]][of[other]], loadings[other]));
            loadings[index] = loading(shares);
        }
    }
    loadings
}

/// The loading in [0, 1] of a model by its shares with others of known loadings (least squares).
fn loading(shares: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (sum, squares) = shares.fold((0.0, 0.0), |(sum, squares), (share, loading)| {
        (sum + share * loading, squares + loading * loading)
    });
    match squares > 0.0 {
        true => (sum / squares).clamp(0.0, 1.0),
        false => 0.0,
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
