//! A hotkey's evidence over its lifetime.

use athanor_spec::params::AuditParams;
use codec::{Decode, Encode};

use super::calibration::log_sum_exp;

/// The e-process W = mean over rho of the product over requests of (1 - rho + rho e'), in logarithms.
///
/// One request alone moves W by at most C / b, so it never condemns; a share rho of dishonest requests is found
/// whatever honest past it follows, which a plain product of e' would let a turncoat spend.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct HotkeyEvidence {
    products: Vec<Product>,
    requests: u64,
    peak_log: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
struct Product {
    share: f64,
    log: f64,
}

impl HotkeyEvidence {
    /// Largest number of assumed dishonest shares that an encoded record may hold.
    pub const MAX_SHARES: usize = 64;

    /// Takes one request's normalised e-value (see [`super::Calibration::request_e_value`]); something that is no
    /// number counts as no evidence.
    pub fn observe(&mut self, params: &AuditParams, e_prime: f64) {
        self.observe_all(params, &[(e_prime, 1.0)]);
    }

    /// Takes many requests: normalised e-values, and how many requests had each. W is looked at after the last of them.
    pub fn observe_all(&mut self, params: &AuditParams, e_primes: &[(f64, f64)]) {
        self.align(params);
        let mut requests = 0.0;
        for (e_prime, count) in e_primes {
            let e_prime = if e_prime.is_finite() {
                e_prime.max(0.0)
            } else {
                1.0
            };
            for product in &mut self.products {
                product.log += count * (1.0 - product.share + product.share * e_prime).ln();
            }
            requests += count;
        }
        self.requests = self.requests.saturating_add(requests as u64);
        // A mean is at most its largest part, which for an honest hotkey falls from the start.
        if self
            .products
            .iter()
            .any(|product| product.log > self.peak_log)
        {
            self.peak_log = self.peak_log.max(self.log_mean());
        }
    }

    /// The present value of W; 1 before the first request.
    pub fn e_value(&self, params: &AuditParams) -> f64 {
        let mut aligned = self.clone();
        aligned.align(params);
        aligned.log_mean().exp()
    }

    /// Whether W ever reached 1 / alpha: the hotkey does not serve the checkpoint that it commits to. Later good
    /// behaviour does not undo it, since alpha already covers the highest value of a lifetime.
    pub fn condemned(&self, params: &AuditParams) -> bool {
        self.peak_log >= -params.alpha.ln()
    }

    /// Number of requests observed.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.products.len() <= Self::MAX_SHARES
            && self.peak_log.is_finite()
            && self
                .products
                .iter()
                .all(|p| p.share.is_finite() && p.log.is_finite())
    }

    /// Follows a change of the spec: a dropped share takes its product with it, a new one starts at 1. Either way W
    /// stays a mean of martingales that started at 1.
    fn align(&mut self, params: &AuditParams) {
        let shares = params.dishonest_shares.iter().take(Self::MAX_SHARES);
        if shares.eq(self.products.iter().map(|product| &product.share)) {
            return;
        }
        let known = |share: f64| self.products.iter().find(|p| p.share == share).copied();
        let aligned = params
            .dishonest_shares
            .iter()
            .take(Self::MAX_SHARES)
            .map(|share| {
                known(*share).unwrap_or(Product {
                    share: *share,
                    log: 0.0,
                })
            })
            .collect();
        self.products = aligned;
    }

    fn log_mean(&self) -> f64 {
        if self.products.is_empty() {
            return 0.0;
        }
        let mut logs = [0.0; Self::MAX_SHARES];
        let known = self.products.len().min(logs.len());
        for (log, product) in logs.iter_mut().zip(&self.products) {
            *log = product.log;
        }
        log_sum_exp(&logs[..known]) - (known as f64).ln()
    }
}
