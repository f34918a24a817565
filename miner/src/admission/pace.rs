//! How fast this miner answers, as far as it has seen: what an honest hint to come back later is made of.

/// What is seen counts half after the miner has been busy for this long.
const HALF_LIFE_MS: f64 = 10_000.0;
/// The hint of a miner that has answered nothing yet: about one answer.
const UNKNOWN_MS: u32 = 500;
/// Shorter hints would only bring the asker back into the same full queue.
const SHORTEST_MS: u32 = 20;
/// Longer ones say nothing: what is seen now will have changed by then.
const LONGEST_MS: u32 = 60_000;

/// Model tokens answered per millisecond, measured over the time in which something was being answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    tokens: f64,
    busy_ms: f64,
    running: u32,
    updated_ms: u64,
}

impl Pace {
    /// An answer is begun.
    pub fn begin(&mut self, now_ms: u64) {
        self.pass(now_ms);
        self.running += 1;
    }

    /// An answer is over, after `tokens` of prompt and answer.
    pub fn end(&mut self, tokens: u32, now_ms: u64) {
        self.pass(now_ms);
        self.running = self.running.saturating_sub(1);
        self.tokens += f64::from(tokens);
    }

    /// In how many milliseconds `tokens` will have been answered for somebody who gets `share` of the miner, in (0, 1].
    pub fn hint(&self, tokens: u64, share: f64) -> u32 {
        if self.busy_ms < 1.0 || self.tokens < 1.0 {
            return UNKNOWN_MS;
        }
        let wait = tokens as f64 * self.busy_ms / self.tokens / share.clamp(1e-3, 1.0);
        // A float beyond the bounds becomes the bound.
        (wait.ceil() as u32).clamp(SHORTEST_MS, LONGEST_MS)
    }

    fn pass(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.updated_ms) as f64;
        self.updated_ms = self.updated_ms.max(now_ms);
        if self.running > 0 {
            let kept = (-passed / HALF_LIFE_MS).exp2();
            self.tokens *= kept;
            self.busy_ms = self.busy_ms * kept + passed;
        }
    }
}
