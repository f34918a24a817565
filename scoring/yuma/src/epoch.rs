//! Run the steps of an epoch in order.

use alloc::vec::Vec;

use crate::activity;
use crate::bonds;
use crate::clip::{Clipped, clip};
use crate::consensus::consensus;
use crate::emission::Emission;
use crate::fixed::{Fixed, normalise};
use crate::outcome::Outcome;
use crate::params::Params;
use crate::permits;
use crate::stake::Stake;
use crate::state::State;
use crate::weights;

/// Computes one epoch of a subnet (Subtensor's `epoch_with_mechanisms` with one mechanism).
///
/// The caller stores the outcome, and passes its bonds and permits to the next epoch.
pub fn epoch(params: &Params, state: &State<'_>) -> Outcome {
    let last_update = blocks(params, state.last_update);
    let registered = blocks(params, state.block_at_registration);

    let active = activity::active(params, state.block, &last_update);
    let stake = Stake::new(params, state);
    let permits = permits::current(params, state.validator_permit);
    let new_permits = permits::next(params, &stake.share);
    let active_stake = stake.among_active(&active, &permits);

    let weights = weights::load(params, state, &permits, &last_update, &registered);
    let consensus = consensus(&weights, &active_stake, params.kappa);
    let penalty = Fixed::from_share(params.bonds_penalty);
    let Clipped {
        trust,
        rank: mut incentive,
        bond_weights,
    } = clip(weights, &consensus, &active_stake, penalty);
    normalise(&mut incentive);

    let bonds = bonds::settle(&bonds::Inputs {
        params,
        state,
        registered: &registered,
        weights: &bond_weights,
        consensus: &consensus,
        incentive: &incentive,
        active_stake: &active_stake,
        new_permits: &new_permits,
    });
    let emission = Emission::new(
        state.rao_emission,
        &incentive,
        &bonds.dividends,
        &active_stake,
        &stake.share,
    );

    Outcome {
        active,
        stake_weight: shares(&stake.share),
        stake: stake.total,
        consensus: shares(&consensus),
        validator_trust: shares(&trust),
        incentive: shares(&incentive),
        dividends: shares(&bonds.dividends),
        server_emission: emission.server,
        validator_emission: emission.validator,
        emission: emission.combined,
        validator_permit: new_permits,
        bonds: bonds.rows,
    }
}

/// One block number per UID: what is missing is 0, what is too much is left out.
fn blocks(params: &Params, stored: &[u64]) -> Vec<u64> {
    let n = usize::from(params.n);
    let mut blocks = stored[..n.min(stored.len())].to_vec();
    blocks.resize(n, 0);
    blocks
}

fn shares(numbers: &[Fixed]) -> Vec<u16> {
    numbers.iter().map(|number| number.to_share()).collect()
}
