//! Decide when a subnet's epoch runs.
//!
//! Since owners can change the tempo, the chain keeps a schedule per subnet and no longer derives it from the block
//! number: `(block + netuid + 1) % (tempo + 1) == 0` is wrong on current chains. Semantics as in Subtensor's
//! `run_coinbase.rs` at commit `14bc6f9f`.

/// Longest tempo that the chain allows, in blocks; a subnet that went longer without a successful epoch is due.
pub const MAX_TEMPO: u16 = 50_400;

/// Shortest tempo that a subnet's owner may set, in blocks.
pub const MIN_TEMPO: u16 = 360;

/// The stored schedule of one subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    /// Blocks from one epoch to the next; 0 means that the subnet runs none (`Tempo`).
    pub tempo: u16,
    /// Block of the last epoch slot, whether the epoch succeeded or was skipped (`LastEpochBlock`).
    pub last_epoch_block: u64,
    /// Block for which the owner asked an epoch out of turn, or to which one was deferred; 0 for none
    /// (`PendingEpochAt`).
    pub pending_epoch_at: u64,
    /// Blocks since the last successful epoch (`BlocksSinceLastStep`).
    pub blocks_since_last_step: u64,
    /// How many epoch slots this subnet has used (`SubnetEpochIndex`).
    pub epoch_index: u64,
}

impl Schedule {
    /// Whether the epoch runs at `block`. The chain adds 1 to `blocks_since_last_step` before it asks.
    pub fn is_due(&self, block: u64) -> bool {
        if self.tempo == 0 {
            return false;
        }
        (self.pending_epoch_at > 0 && block >= self.pending_epoch_at)
            || self.blocks_since_last_step > u64::from(MAX_TEMPO)
            || block.saturating_sub(self.last_epoch_block) >= u64::from(self.tempo)
    }

    /// The block at which the next epoch is expected, or `None` if the subnet runs none. The chain may be later when
    /// more epochs are due in one block than it allows.
    pub fn next_epoch_block(&self) -> Option<u64> {
        let regular = self.last_epoch_block.saturating_add(u64::from(self.tempo));
        match (self.tempo, self.pending_epoch_at) {
            (0, _) => None,
            (_, 0) => Some(regular),
            (_, pending) => Some(regular.min(pending)),
        }
    }

    /// Blocks from `block` to the next epoch by tempo alone, 0 if it is due; `None` if the subnet runs none.
    pub fn blocks_until_regular_epoch(&self, block: u64) -> Option<u64> {
        let regular = self.last_epoch_block.saturating_add(u64::from(self.tempo));
        (self.tempo != 0).then(|| regular.saturating_sub(block))
    }

    /// The schedule after one more block without a look at epochs.
    pub fn tick(self) -> Self {
        Self {
            blocks_since_last_step: self.blocks_since_last_step.saturating_add(1),
            ..self
        }
    }

    /// The schedule after the slot at `block` was used. `ran` says whether the epoch ran: a slot that was skipped, for
    /// the subnet's state was inconsistent, is used up all the same.
    pub fn advance(self, block: u64, ran: bool) -> Self {
        Self {
            last_epoch_block: block,
            pending_epoch_at: 0,
            blocks_since_last_step: if ran { 0 } else { self.blocks_since_last_step },
            epoch_index: self.epoch_index.saturating_add(1),
            ..self
        }
    }

    /// The schedule after an epoch due at `block` was put off to the next block, for too many were due in this one.
    pub fn defer(self, block: u64) -> Self {
        Self {
            pending_epoch_at: block.saturating_add(1),
            ..self
        }
    }

    /// Whether owner settings are frozen at `block`: `window` blocks before a regular epoch, and from the moment at
    /// which an epoch out of turn is asked for until it runs.
    pub fn is_frozen(&self, block: u64, window: u64) -> bool {
        self.pending_epoch_at > block && self.tempo != 0
            || self
                .blocks_until_regular_epoch(block)
                .is_some_and(|left| left < window)
    }
}

#[cfg(test)]
mod tests;
