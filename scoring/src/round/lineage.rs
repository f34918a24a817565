//! Follow whose model is whose, from checkpoint to checkpoint.
//!
//! An author publishes again and again, so the block of a commitment does not say who was first: the block in which a
//! miner's *chain* of models began does. A chain is what the ledger remembers of a registration: the model that was last
//! compared, and the claim at its root. A model that is found to be of the class of an earlier one
//! ([`crate::similarity::newcomers`]) takes over that one's root, its tensors included: whoever goes on with its own model
//! keeps its claim, and whoever goes on with another's is a copy of it, for as long as it does.

use std::fmt;

use athanor_spec::{Account, BlockNumber, Digest, params::FunctionalCopies};
use codec::{Decode, Encode, Input, Output};
use serde::Serialize;

use super::{Artifact, Claim, Ledger, SeenMiner};
use crate::ledger::{Fault, FaultKind};

/// Largest distance of behaviour that is written down, in nats.
const MAX_NATS: f64 = 1e6;

/// How near two models are, and how improbable that is for models that were distilled independently.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distances {
    /// Distance of behaviour, in nats ([`crate::similarity::behaviour`]); at most 1e6.
    pub behaviour: f64,
    /// Distance of the weights, in [0, 1] ([`crate::similarity::weights`]).
    pub weights: f64,
    /// Upper bound of the p-value of the behaviour.
    pub p_behaviour: f64,
    /// Upper bound of the p-value of the weights.
    pub p_weights: f64,
    /// What both have beside their teacher; `None` where that cannot be told, and in what was written before it was.
    pub innovation: Option<SharedInnovation>,
}

/// How much of what two models have of their own beside their teacher is the same
/// ([`crate::similarity::innovation`]).
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode, Serialize)]
pub struct SharedInnovation {
    /// The share that both have, in [-1, 1].
    pub share: f64,
    /// The share that was expected of two such models, in [0, 1].
    pub expected: f64,
    /// Upper bound of its p-value.
    pub p: f64,
}

/// That a model is of the class of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Likeness {
    /// Digest of the earlier model's manifest.
    pub manifest: Digest,
    /// Digest of its tensors.
    pub tensors: Digest,
    /// How near they are.
    pub distances: Distances,
}

/// Whose model a new one goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Lineage {
    /// Nobody's: it is of no earlier model's class.
    Begins,
    /// That of an earlier one: the miner's own before, or another's.
    Alike(Likeness),
    /// Taken for the miner's own: the one before is not at hand any more, which is no fault of the miner.
    Presumed,
}

/// A line of models that goes back to one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Chain {
    /// Digest of the manifest that was last compared.
    pub manifest: Digest,
    /// Digest of its tensors.
    pub tensors: Digest,
    /// Who made the model that the chain goes back to, and when.
    pub root: Claim,
    /// What that rests on when the model was not the first of its class.
    pub like: Option<Likeness>,
}

/// What a ledger remembers of the models of one registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode, Serialize)]
pub struct Past {
    /// Its last model that was compared, or had before by somebody else.
    pub chain: Option<Chain>,
    /// Block of the first commitment since then whose checkpoint could not be had.
    pub missed: Option<BlockNumber>,
}

impl Distances {
    /// Distances as they are written down: a behaviour that cannot be compared is far away.
    pub fn bounded(self) -> Self {
        let number = |value: f64, most: f64| match value.is_nan() {
            true => most,
            false => value.clamp(0.0, most),
        };
        Self {
            behaviour: number(self.behaviour, MAX_NATS),
            weights: number(self.weights, 1.0),
            p_behaviour: number(self.p_behaviour, 1.0),
            p_weights: number(self.p_weights, 1.0),
            innovation: self.innovation.filter(|it| it.share.is_finite()).map(|it| {
                SharedInnovation {
                    share: it.share.clamp(-1.0, 1.0),
                    expected: number(it.expected, 1.0),
                    p: number(it.p, 1.0),
                }
            }),
        }
    }
}

/// The distances for people, without their p-values.
impl fmt::Display for Distances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (behaviour, weights) = (self.behaviour, self.weights);
        write!(
            f,
            "{behaviour:.4} nats of behaviour, {weights:.5} of weights"
        )?;
        match self.innovation {
            Some(own) => write!(f, ", {:.3} beside the teacher in common", own.share),
            None => Ok(()),
        }
    }
}

impl Lineage {
    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Self::Alike(like) => like.is_bounded(),
            Self::Begins | Self::Presumed => true,
        }
    }
}

impl Likeness {
    fn is_bounded(&self) -> bool {
        self.distances == self.distances.bounded()
    }
}

impl Past {
    pub(super) fn is_bounded(&self) -> bool {
        let like = self.chain.and_then(|chain| chain.like);
        like.is_none_or(|like| like.is_bounded())
    }
}

impl Chain {
    /// Whether its model is its own: a hotkey that registers anew is no copy of itself.
    pub fn is_own(&self, account: &Account) -> bool {
        self.root.account.hotkey == account.hotkey
    }
}

pub(super) fn claim_of(miner: &SeenMiner) -> Claim {
    Claim {
        account: miner.account,
        committed_at: miner.committed_at,
        manifest: miner.checkpoint,
    }
}

/// Brings the ledger's claims and chains up to a round. Returns what each miner's model goes back to, in their order.
pub(super) fn follow(ledger: &mut Ledger, miners: &[&SeenMiner]) -> Vec<Option<Claim>> {
    let mut alike = Vec::new();
    let mut roots = Vec::with_capacity(miners.len());
    let mut replaced = false;
    for miner in miners {
        let chain = ledger.chain(&miner.account).copied();
        let own = || chain.filter(|chain| chain.is_own(&miner.account));
        let (tensors, root) = match &miner.artifact {
            Artifact::Missing | Artifact::Bad { .. } => {
                roots.push(None);
                continue;
            }
            Artifact::Compared { tensors, lineage } => match lineage {
                Lineage::Alike(like) => {
                    alike.push((*miner, *tensors, *like));
                    roots.push(None);
                    continue;
                }
                Lineage::Presumed => (*tensors, own().map(|chain| chain.root)),
                Lineage::Begins => (*tensors, None),
            },
            Artifact::Fetched { tensors } => {
                // What was compared before stays what it is.
                let compared = chain.filter(|chain| chain.tensors == *tensors);
                (*tensors, compared.map(|chain| chain.root))
            }
        };
        let root = root.unwrap_or_else(|| claim_of(miner));
        let (stands, replaces) = ledger.claim(tensors, root);
        roots.push(Some(stands));
        replaced |= replaces;
    }
    if replaced || !alike.is_empty() {
        take_over(ledger, alike);
        let known = |miner: &&SeenMiner| ledger.claim_to(&miner.artifact.tensors()?).copied();
        roots = miners.iter().map(known).collect();
    }
    for (miner, root) in miners.iter().zip(&roots) {
        remember(ledger, miner, root.as_ref());
    }
    roots
}

/// Gives models that are like earlier ones the claims of those. What a model is like may be new as well, and like a third
/// one: from the roots upwards.
fn take_over(ledger: &mut Ledger, mut alike: Vec<(&SeenMiner, Digest, Likeness)>) {
    loop {
        let before = alike.len();
        alike.retain(
            |(miner, tensors, like)| match root_of(ledger, miner, like) {
                Some(root) => {
                    ledger.claim(*tensors, root);
                    false
                }
                None => true,
            },
        );
        if alike.len() == before {
            break;
        }
    }
    for (miner, tensors, _) in alike {
        ledger.claim(tensors, claim_of(miner));
    }
}

/// Notes what the next model of a miner is to be held against.
fn remember(ledger: &mut Ledger, miner: &SeenMiner, root: Option<&Claim>) {
    let (Some(tensors), Some(root)) = (miner.artifact.tensors(), root) else {
        let chain = ledger.chain(&miner.account);
        let is_new = chain.is_none_or(|chain| chain.manifest != miner.checkpoint);
        if is_new && miner.artifact == Artifact::Missing {
            ledger.note_missed(miner.account, miner.committed_at);
        }
        return;
    };
    let like = match &miner.artifact {
        Artifact::Compared { lineage, .. } => match lineage {
            Lineage::Alike(like) => Some(*like),
            Lineage::Begins | Lineage::Presumed => None,
        },
        // Not compared: a chain goes on only where equal tensors say whose it is.
        _ if root.account.hotkey == miner.account.hotkey => return,
        _ => ledger
            .chain(&miner.account)
            .filter(|chain| chain.tensors == tensors)
            .and_then(|chain| chain.like),
    };
    let chain = Chain {
        manifest: miner.checkpoint,
        tensors,
        root: *root,
        like,
    };
    ledger.set_chain(miner.account, chain);
}

/// The root of what a model is like. The own chain knows it even when the claim was forgotten.
fn root_of(ledger: &Ledger, miner: &SeenMiner, like: &Likeness) -> Option<Claim> {
    ledger
        .chain(&miner.account)
        .filter(|chain| chain.tensors == like.tensors)
        .map(|chain| chain.root)
        .or_else(|| ledger.claim_to(&like.tensors).copied())
}

/// Whose model it was before, if it was another's.
pub(super) fn copied(
    ledger: &Ledger,
    miner: &SeenMiner,
    root: Option<&Claim>,
    functional: FunctionalCopies,
) -> Option<Fault> {
    let (tensors, first) = (miner.artifact.tensors()?, root?);
    if first.account.hotkey == miner.account.hotkey {
        return None;
    }
    let own = ledger.chain(&miner.account);
    let own = own.filter(|chain| chain.tensors == tensors);
    let own = own.and_then(|chain| chain.like);
    if own.is_some() && functional == FunctionalCopies::Shown {
        return None;
    }
    // Equal tensors of somebody who is accused by their likeness are no others' because of it.
    let of_equals = || {
        let mut chains = ledger.pasts().values().filter_map(|past| past.chain);
        chains.find_map(|chain| chain.like.filter(|_| chain.tensors == tensors))
    };
    let like = own.or_else(of_equals);
    let (here, author) = (miner.checkpoint.short(), first.account.hotkey);
    let (then, now) = (first.committed_at, miner.committed_at);
    let own = |it: SharedInnovation| {
        format!(
            "; of what they have beside their teacher, {:.2} is the same ({:.2} were expected, p {})",
            it.share,
            it.expected,
            p_value(it.p)
        )
    };
    let evidence = match like {
        Some(Likeness {
            manifest,
            distances,
            ..
        }) => format!(
            "{here} is of the class of a model that goes back to what {author} committed in block {then}, here in block {now}: \
             {:.4} nats of behaviour (p {}) and {:.5} of weights (p {}) from {}{}",
            distances.behaviour,
            p_value(distances.p_behaviour),
            distances.weights,
            p_value(distances.p_weights),
            manifest.short(),
            distances.innovation.map(own).unwrap_or_default(),
        ),
        None => format!(
            "the tensors of {here} were committed by {author} in block {then}, here in block {now}",
        ),
    };
    Some(Fault {
        kind: FaultKind::Copy,
        evidence,
    })
}

/// A bound of a p-value for people; what is smaller than any sample can show is not printed as 0.
fn p_value(p: f64) -> String {
    match p < 1e-99 {
        true => "below 1e-99".to_owned(),
        false => format!("at most {p:.1e}"),
    }
}

/// A likeness as it is written down where no innovation is known of: as before it was measured.
#[derive(Encode, Decode)]
struct PlainCode {
    manifest: Digest,
    tensors: Digest,
    /// Distance of behaviour and of weights, then the bounds of their p-values.
    numbers: [f64; 4],
}

/// The bytes of a [`Lineage`].
#[derive(Encode, Decode)]
enum LineageCode {
    #[codec(index = 0)]
    Begins,
    #[codec(index = 1)]
    Alike(PlainCode),
    #[codec(index = 2)]
    Presumed,
    #[codec(index = 3)]
    AlikeOwn(PlainCode, SharedInnovation),
}

/// The bytes of what a [`Chain`] rests on.
#[derive(Encode, Decode)]
enum LikeCode {
    #[codec(index = 0)]
    Nothing,
    #[codec(index = 1)]
    Alike(PlainCode),
    #[codec(index = 2)]
    AlikeOwn(PlainCode, SharedInnovation),
}

impl Likeness {
    fn code(&self) -> (PlainCode, Option<SharedInnovation>) {
        let Distances {
            behaviour,
            weights,
            p_behaviour,
            p_weights,
            innovation,
        } = self.distances;
        let plain = PlainCode {
            manifest: self.manifest,
            tensors: self.tensors,
            numbers: [behaviour, weights, p_behaviour, p_weights],
        };
        (plain, innovation)
    }

    fn of_code(plain: PlainCode, innovation: Option<SharedInnovation>) -> Self {
        let [behaviour, weights, p_behaviour, p_weights] = plain.numbers;
        Self {
            manifest: plain.manifest,
            tensors: plain.tensors,
            distances: Distances {
                behaviour,
                weights,
                p_behaviour,
                p_weights,
                innovation,
            },
        }
    }
}

impl Encode for Lineage {
    fn encode_to<W: Output + ?Sized>(&self, out: &mut W) {
        let code = match self {
            Self::Begins => LineageCode::Begins,
            Self::Presumed => LineageCode::Presumed,
            Self::Alike(like) => match like.code() {
                (plain, None) => LineageCode::Alike(plain),
                (plain, Some(own)) => LineageCode::AlikeOwn(plain, own),
            },
        };
        code.encode_to(out);
    }
}

impl Decode for Lineage {
    fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
        Ok(match LineageCode::decode(input)? {
            LineageCode::Begins => Self::Begins,
            LineageCode::Presumed => Self::Presumed,
            LineageCode::Alike(plain) => Self::Alike(Likeness::of_code(plain, None)),
            LineageCode::AlikeOwn(plain, own) => Self::Alike(Likeness::of_code(plain, Some(own))),
        })
    }
}

impl Encode for Chain {
    fn encode_to<W: Output + ?Sized>(&self, out: &mut W) {
        let like = match self.like.map(|like| like.code()) {
            None => LikeCode::Nothing,
            Some((plain, None)) => LikeCode::Alike(plain),
            Some((plain, Some(own))) => LikeCode::AlikeOwn(plain, own),
        };
        (self.manifest, self.tensors, self.root, like).encode_to(out);
    }
}

impl Decode for Chain {
    fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
        let (manifest, tensors, root, like) = Decode::decode(input)?;
        Ok(Self {
            manifest,
            tensors,
            root,
            like: match like {
                LikeCode::Nothing => None,
                LikeCode::Alike(plain) => Some(Likeness::of_code(plain, None)),
                LikeCode::AlikeOwn(plain, own) => Some(Likeness::of_code(plain, Some(own))),
            },
        })
    }
}

#[cfg(test)]
mod tests;
