//! The rules of an epoch written down plainly, step by step: what benches and properties compare with.
//!
//! Nothing is shared with the crate but its types. Numbers are `i64` counts of 2^-32, matrices are rows of pairs, and
//! the smoothing factors of liquid alpha are computed for every pair, as the chain does.

use athanor_yuma::{LiquidAlpha, Outcome, Params, State};

type Row = Vec<(usize, i64)>;

const ONE: i64 = 1 << 32;

fn narrow(wide: i128) -> i64 {
    wide.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn mul(a: i64, b: i64) -> i64 {
    narrow((i128::from(a) * i128::from(b)) >> 32)
}

fn div(a: i64, b: i64) -> i64 {
    match b {
        0 => 0,
        _ => i64::try_from((i128::from(a) << 32) / i128::from(b)).unwrap_or(0),
    }
}

fn to_share(x: i64) -> u16 {
    (mul(x, narrow(65_535 << 32)) >> 32).clamp(0, 65_535) as u16
}

fn from_share(share: u16) -> i64 {
    (i64::from(share) << 32) / 65_535
}

fn sum(values: impl IntoIterator<Item = i64>) -> i64 {
    values.into_iter().fold(0, i64::saturating_add)
}

fn norm(values: &[i64]) -> Vec<i64> {
    let total = sum(values.iter().copied());
    match total {
        0 => values.to_vec(),
        _ => values.iter().map(|&value| div(value, total)).collect(),
    }
}

fn colnorm(matrix: &[Row], n: usize) -> Vec<Row> {
    let mut sums = vec![0_i64; n];
    for &(column, value) in matrix.iter().flatten() {
        if column < n {
            sums[column] = sums[column].saturating_add(value);
        }
    }
    let normalised = |&(column, value): &(usize, i64)| match sums.get(column) {
        Some(&total) if total != 0 => (column, div(value, total)),
        _ => (column, value),
    };
    matrix
        .iter()
        .map(|row| row.iter().map(normalised).collect())
        .collect()
}

fn exp(x: i64) -> i64 {
    let x = x.clamp(-20 * ONE, 20 * ONE);
    match x {
        0 => return ONE,
        ONE => return 11_674_931_200,
        _ => {}
    }
    let a = x.abs();
    let mut result = a + ONE;
    let mut term = a;
    for index in 2..=31 {
        term = mul(term, a) / index;
        result += term;
    }
    match x {
        ..0 => ((1_i128 << 64) / i128::from(result)) as i64,
        _ => result,
    }
}

fn median(stake: &[i64], score: &[i64], minority: i64) -> i64 {
    let mut part: Vec<usize> = (0..stake.len()).collect();
    let (mut lo, mut hi) = (0_i64, sum(stake.iter().copied()));
    for _ in 0..=stake.len() {
        match part[..] {
            [] => return 0,
            [only] => return score[only],
            _ => {}
        }
        let pivot = score[part[part.len() / 2]];
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        let (mut lower_stake, mut upper_stake) = (0, 0);
        for &index in &part {
            if score[index] < pivot {
                lower.push(index);
                lower_stake += stake[index];
            } else if score[index] > pivot {
                upper.push(index);
                upper_stake += stake[index];
            }
        }
        if minority < lo + lower_stake && !lower.is_empty() {
            part = lower;
            hi = lo + lower_stake;
        } else if hi - upper_stake <= minority && !upper.is_empty() {
            part = upper;
            lo = hi - upper_stake;
        } else {
            return pivot;
        }
    }
    0
}

fn ema(new: &[Row], old: &[Row], alpha: i64, n: usize) -> Vec<Row> {
    let rest = ONE.saturating_sub(alpha);
    new.iter()
        .zip(old)
        .map(|(new, old)| {
            let mut row = vec![0_i64; n];
            for &(column, value) in new {
                row[column] = row[column].saturating_add(mul(alpha, value));
            }
            for &(column, value) in old.iter().filter(|(column, _)| *column < n) {
                row[column] = row[column].saturating_add(mul(rest, value));
            }
            row.into_iter()
                .enumerate()
                .filter(|(_, value)| *value > 0)
                .collect()
        })
        .collect()
}

/// What a cursor finds that only passes lower columns.
fn merge_lookup(row: &[(usize, i64)], cursor: &mut usize, column: usize) -> i64 {
    while *cursor < row.len() && row[*cursor].0 < column {
        *cursor += 1;
    }
    match row.get(*cursor) {
        Some(&(found, value)) if found == column => value,
        _ => 0,
    }
}

fn liquid(
    range: &LiquidAlpha,
    weights: &[Row],
    bonds: &[Row],
    consensus: &[i64],
    n: usize,
) -> Vec<Row> {
    let (low, high) = (from_share(range.low), from_share(range.high));
    let slope = div(i64::from(range.steepness) << 32, -100 * ONE);
    let clamp = |x: i64, low: i64, high: i64| x.min(high).max(low);
    let mut alphas = Vec::with_capacity(n);
    for (weights, bonds) in weights.iter().zip(bonds) {
        let (mut weight_cursor, mut bond_cursor) = (0, 0);
        let mut row = Vec::with_capacity(n);
        for (column, &consensus) in consensus.iter().enumerate() {
            let weight = merge_lookup(weights, &mut weight_cursor, column);
            let bond = merge_lookup(bonds, &mut bond_cursor, column);
            let distance = match weight >= bond {
                true => clamp(weight - consensus, 0, ONE),
                false => clamp(bond - weight, 0, ONE),
            };
            let sigmoid = div(ONE, ONE + exp(mul(slope, distance - ONE / 2)));
            row.push(clamp(low + mul(sigmoid, high - low), low, high));
        }
        alphas.push(row);
    }
    let mut result = Vec::with_capacity(n);
    for ((weights, bonds), alphas) in weights.iter().zip(bonds).zip(&alphas) {
        let mut old = vec![0; n];
        for &(column, bond) in bonds.iter().filter(|(column, _)| *column < n) {
            old[column] = bond;
        }
        let average = |&(column, weight): &(usize, i64)| {
            let alpha = alphas[column];
            let value = mul(ONE - alpha, old[column]) + mul(alpha, weight).max(0);
            (column, value.min(ONE))
        };
        let row = weights.iter().map(average);
        result.push(row.filter(|(_, value)| *value > 0).collect());
    }
    result
}

/// One epoch by the rules.
pub fn epoch(params: &Params, state: &State<'_>) -> Outcome {
    let n = usize::from(params.n);
    let padded = |values: &[u64]| -> Vec<u64> {
        (0..n)
            .map(|uid| values.get(uid).copied().unwrap_or(0))
            .collect()
    };
    let last_update = padded(state.last_update);
    let registered = padded(state.block_at_registration);
    let owner = params.owner_uid.map(usize::from);

    // 1. Activity.
    let cutoff = u64::from(params.activity_cutoff_factor_milli) * u64::from(params.tempo) / 1000;
    let active: Vec<bool> = last_update
        .iter()
        .map(|update| update.saturating_add(cutoff.max(1)) >= state.block)
        .collect();

    // 2. Stake.
    let (total, stake) = stakes(params, state);

    // 3. Permits.
    let mut permit: Vec<bool> = (0..n)
        .map(|uid| state.validator_permit.get(uid) == Some(&true) || owner == Some(uid))
        .collect();
    let mut new_permit: Vec<bool> = stake.iter().map(|&stake| stake != 0).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&uid| stake[uid]);
    for &uid in order
        .iter()
        .take(n.saturating_sub(params.max_allowed_validators.into()))
    {
        new_permit[uid] = false;
    }
    for permits in [&mut permit, &mut new_permit] {
        if let Some(permit) = owner.and_then(|owner| permits.get_mut(owner)) {
            *permit = true;
        }
    }

    // 4. Active stake.
    let masked: Vec<i64> = (0..n)
        .map(|uid| {
            if active[uid] && permit[uid] {
                stake[uid]
            } else {
                0
            }
        })
        .collect();
    let active_stake = norm(&masked);

    // 5. Weights.
    let weights = weights(params, state, &permit, &last_update, &registered);

    // 6. Consensus.
    let voters: Vec<usize> = (0..n).filter(|&uid| active_stake[uid] > 0).collect();
    let votes: Vec<i64> = voters.iter().map(|&uid| active_stake[uid]).collect();
    let votes = norm(&votes);
    let minority = sum(votes.iter().copied()) - from_share(params.kappa);
    let mut columns = vec![vec![0; voters.len()]; n];
    for (index, &uid) in voters.iter().enumerate() {
        for &(column, weight) in &weights[uid] {
            columns[column][index] = weight;
        }
    }
    let consensus: Vec<i64> = columns
        .iter()
        .map(|scores| median(&votes, scores, minority))
        .collect();

    // 7. Clipped weights.
    let clip = |&(column, weight): &(usize, i64)| match consensus[column] {
        limit if weight <= limit => Some((column, weight)),
        ..=0 => None,
        limit => Some((column, limit)),
    };
    let clipped: Vec<Row> = weights
        .iter()
        .map(|row| row.iter().filter_map(clip).collect())
        .collect();
    let trust: Vec<i64> = clipped
        .iter()
        .map(|row| sum(row.iter().map(|(_, weight)| *weight)))
        .collect();

    // 8. Ranks.
    let mut rank = vec![0_i64; n];
    for (row, &stake) in clipped.iter().zip(&active_stake) {
        for &(column, weight) in row {
            rank[column] = rank[column].saturating_add(mul(stake, weight));
        }
    }
    let incentive = norm(&rank);

    // 9. Weights for bonds.
    let bond_weights = match from_share(params.bonds_penalty) {
        0 => weights,
        ONE => clipped,
        penalty => weights
            .iter()
            .zip(&clipped)
            .map(|(weights, clipped)| {
                let (mut set, mut limited) = (vec![0; n], vec![0; n]);
                weights.iter().for_each(|&(column, w)| set[column] = w);
                clipped.iter().for_each(|&(column, w)| limited[column] = w);
                (0..n)
                    .map(|column| {
                        let (set, limited) = (set[column], limited[column]);
                        (column, set + mul(penalty, limited - set))
                    })
                    .filter(|(_, weight)| *weight > 0)
                    .collect()
            })
            .collect(),
    };

    // 10. Bonds that count.
    let last_tempo = match state.last_mechanism_step_block {
        0 => state.block.saturating_sub(params.tempo.into()),
        block => block.saturating_add(1),
    };
    let kept = |column: usize| last_tempo > registered.get(column).copied().unwrap_or(0);
    let bonds_in = |unit: &dyn Fn(u16) -> i64| -> Vec<Row> {
        (0..n)
            .map(|uid| {
                let row = state.bonds.get(uid).map_or(&[][..], Vec::as_slice);
                row.iter()
                    .map(|&(column, bond)| (usize::from(column), unit(bond)))
                    .filter(|(column, _)| kept(*column))
                    .collect()
            })
            .collect()
    };
    let moving = match i64::try_from(params.bonds_moving_average) {
        Ok(moving) => (i128::from(moving) << 64) / 1_000_000,
        Err(_) => i128::MAX / 1_000_000,
    };
    let alpha = ONE.saturating_sub(narrow(moving >> 32));

    // 11., 12. New bonds and dividends.
    let (stored, earned) = if params.yuma3 {
        let bonds = bonds_in(&from_share);
        let averages = match &params.liquid_alpha {
            Some(range) if consensus.iter().any(|&value| value != 0) => {
                liquid(range, &bond_weights, &bonds, &consensus, n)
            }
            _ => ema(&bond_weights, &bonds, alpha, n),
        };
        let earned = colnorm(&averages, n)
            .iter()
            .zip(&active_stake)
            .map(|(row, &stake)| {
                let earned = row.iter().map(|&(column, v)| mul(v, incentive[column]));
                mul(sum(earned), stake)
            })
            .collect::<Vec<i64>>();
        (averages, earned)
    } else {
        let bonds = colnorm(&bonds_in(&|bond| i64::from(bond) << 32), n);
        let bought: Vec<Row> = bond_weights
            .iter()
            .zip(&active_stake)
            .map(|(row, &stake)| {
                let buy = |&(column, weight): &(usize, i64)| (column, mul(weight, stake));
                row.iter().map(buy).collect()
            })
            .collect();
        let mut averages = colnorm(&ema(&colnorm(&bought, n), &bonds, alpha, n), n);
        let earned = averages
            .iter()
            .map(|row| sum(row.iter().map(|&(column, v)| mul(incentive[column], v))))
            .collect();
        let mut largest = vec![0_i64; n];
        for &(column, value) in averages.iter().flatten() {
            largest[column] = largest[column].max(value);
        }
        for (column, value) in averages.iter_mut().flatten() {
            if largest[*column] != 0 {
                *value = div(*value, largest[*column]);
            }
        }
        (averages, earned)
    };
    let dividends = norm(&earned);

    // 13. Stored bonds.
    let bonds = stored
        .iter()
        .zip(&new_permit)
        .map(|(row, &permit)| match permit {
            true => row
                .iter()
                .map(|&(column, value)| (column as u16, to_share(value)))
                .collect(),
            false => Vec::new(),
        })
        .collect();

    // 14. Emission.
    let both: Vec<i64> = (0..n)
        .map(|uid| incentive[uid].saturating_add(dividends[uid]))
        .collect();
    let all = sum(both.iter().copied());
    let over_all =
        |values: &[i64]| -> Vec<i64> { values.iter().map(|&value| div(value, all)).collect() };
    let (server, validator, combined) = if all != 0 {
        (over_all(&incentive), over_all(&dividends), norm(&both))
    } else if sum(active_stake.iter().copied()) != 0 {
        (vec![0; n], active_stake.clone(), active_stake.clone())
    } else {
        (vec![0; n], stake.clone(), stake.clone())
    };
    let pay = |values: &[i64]| -> Vec<u64> {
        values
            .iter()
            .map(|&value| (u128::from(value.unsigned_abs()) * u128::from(state.rao_emission)) >> 32)
            .map(|rao| u64::try_from(rao).unwrap_or(u64::MAX))
            .collect()
    };
    let shares =
        |values: &[i64]| -> Vec<u16> { values.iter().map(|&value| to_share(value)).collect() };
    Outcome {
        active,
        stake: total,
        stake_weight: shares(&stake),
        consensus: shares(&consensus),
        validator_trust: shares(&trust),
        incentive: shares(&incentive),
        dividends: shares(&dividends),
        server_emission: pay(&server),
        validator_emission: pay(&validator),
        emission: pay(&combined),
        validator_permit: new_permit,
        bonds,
    }
}

/// Total stake in rao and shares of the stake above the threshold.
fn stakes(params: &Params, state: &State<'_>) -> (Vec<u64>, Vec<i64>) {
    let n = usize::from(params.n);
    let max = i128::MAX as u128;
    let at = |values: &[u64], uid: usize| u128::from(values.get(uid).copied().unwrap_or(0));
    let weight = (u128::from(params.tao_weight) << 32) / u128::from(u64::MAX);
    let totals: Vec<u128> = (0..n)
        .map(|uid| {
            let alpha = (at(state.alpha_stake, uid) << 64).min(max);
            let tao = (at(state.tao_stake, uid) << 64).min(max);
            // tao * weight / 2^32 in two halves of the tao.
            let (high, low) = (tao >> 64, tao & u128::from(u64::MAX));
            let weighed = ((high * weight) << 32) + ((low * weight) >> 32);
            (alpha + weighed.min(max)).min(max)
        })
        .collect();
    let counted: Vec<u128> = (0..n)
        .map(|uid| {
            let owner = params.owner_uid.map(usize::from) == Some(uid);
            let enough = (totals[uid] >> 64) >= u128::from(params.stake_threshold);
            if owner || enough { totals[uid] } else { 0 }
        })
        .collect();
    let all = counted
        .iter()
        .fold(0_u128, |all, &stake| (all + stake).min(max));
    let share = |&stake: &u128| {
        if all == 0 {
            return 0;
        }
        let (mut quotient, mut rest) = (stake / all, stake % all);
        for _ in 0..32 {
            rest *= 2;
            quotient = quotient * 2 + u128::from(rest >= all);
            rest -= if rest >= all { all } else { 0 };
        }
        quotient as i64
    };
    let total = totals.iter().map(|total| (total >> 64) as u64).collect();
    (total, counted.iter().map(share).collect())
}

/// The weights that count, normalised by row.
fn weights(
    params: &Params,
    state: &State<'_>,
    permit: &[bool],
    last_update: &[u64],
    registered: &[u64],
) -> Vec<Row> {
    let n = usize::from(params.n);
    let owner = params.owner_uid.map(usize::from);
    let mut committed = vec![u64::MAX; n];
    if params.commit_reveal {
        let expired = |epoch: u64| state.epoch_index > epoch.saturating_add(params.reveal_period);
        for (uid, committed) in committed.iter_mut().enumerate() {
            let queued = state
                .commits
                .iter()
                .find(|commit| usize::from(commit.uid) == uid && !expired(commit.epoch));
            let timelocked = state
                .timelocked_commits
                .iter()
                .filter(|commit| usize::from(commit.uid) == uid && !expired(commit.epoch));
            for commit in queued.into_iter().chain(timelocked) {
                *committed = commit.block.min(*committed);
            }
        }
    }
    (0..n)
        .map(|uid| {
            let raw = state.weights.get(uid).map_or(&[][..], Vec::as_slice);
            let row: Row = raw
                .iter()
                .map(|&(column, weight)| (usize::from(column), i64::from(weight) << 32))
                .filter(|&(column, _)| {
                    permit[uid]
                        && column < n
                        && (column != uid || owner == Some(uid))
                        && last_update[uid] > registered[column]
                        && committed[uid] >= registered[column]
                })
                .collect();
            let total = sum(row.iter().map(|(_, weight)| *weight));
            match total {
                0 => row,
                _ => row
                    .into_iter()
                    .map(|(column, weight)| (column, div(weight, total)))
                    .collect(),
            }
        })
        .collect()
}
