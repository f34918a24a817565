//! What the gateway counts: requests, times, tokens, and what became of its asks.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::api::Usage;

/// What became of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The first miner of a request was asked.
    First,
    /// Another one was, for the one before had failed.
    Fallback,
    /// A second one was, for the first was slow.
    Hedge,
    /// And it spoke first.
    HedgeWon,
    /// All that could be asked were full, and it was waited.
    Waited,
    /// A miner failed.
    Failed,
}

impl Counted {
    fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Fallback => "fallback",
            Self::Hedge => "hedge",
            Self::HedgeWon => "hedge_won",
            Self::Waited => "waited",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// The gateway's own metrics, cheap to clone.
#[derive(Clone)]
pub(crate) struct GatewayMetrics(Arc<Families>);

struct Families {
    requests: Family<RequestLabels, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    tokens: Family<KindLabels, Counter>,
    evidence: Counter,
    first_token: Histogram,
    duration: Histogram,
    streams: Gauge,
    miners: Gauge,
}

impl Default for GatewayMetrics {
    fn default() -> Self {
        // From 5 ms to 80 s and from 10 ms to 160 s, each bucket twice the one before.
        let buckets = |from| Histogram::new(exponential_buckets(from, 2.0, 15));
        Self(Arc::new(Families {
            requests: Family::default(),
            decisions: Family::default(),
            tokens: Family::default(),
            evidence: Counter::default(),
            first_token: buckets(0.005),
            duration: buckets(0.01),
            streams: Gauge::default(),
            miners: Gauge::default(),
        }))
    }
}

/// A request that is being answered, until this is dropped.
pub(crate) struct Stream(GatewayMetrics);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.0.streams.dec();
    }
}

impl GatewayMetrics {
    /// Adds everything to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let all = &self.0;
        let registry = registry.sub_registry_with_prefix("gateway");
        registry.register(
            "requests",
            "Requests that were answered, by endpoint and status",
            all.requests.clone(),
        );
        registry.register(
            "asks",
            "Asks to miners for users: first, fallback, hedge, hedge_won, failed",
            all.decisions.clone(),
        );
        registry.register(
            "tokens",
            "Tokens of users' prompts and of the answers to them",
            all.tokens.clone(),
        );
        registry.register(
            "evidence",
            "Answers that joined the audit with their users' consent",
            all.evidence.clone(),
        );
        registry.register_with_unit(
            "first_token",
            "From the ask to the first token",
            Unit::Seconds,
            all.first_token.clone(),
        );
        registry.register_with_unit(
            "request",
            "From a request to the end of the answer",
            Unit::Seconds,
            all.duration.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests that are being answered",
            all.streams.clone(),
        );
        registry.register(
            "miners",
            "Miners that users may be served by",
            all.miners.clone(),
        );
    }

    pub(crate) fn count(&self, what: Counted) {
        let labels = DecisionLabels {
            decision: what.name(),
        };
        self.0.decisions.get_or_create(&labels).inc();
    }

    pub(crate) fn request(&self, endpoint: &'static str, status: u16) {
        let labels = RequestLabels { endpoint, status };
        self.0.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn begin(&self) -> Stream {
        self.0.streams.inc();
        Stream(self.clone())
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.0.first_token.observe(after.as_secs_f64());
    }

    pub(crate) fn answered(&self, usage: Usage, after: Duration) {
        self.0.duration.observe(after.as_secs_f64());
        for (kind, tokens) in [("prompt", usage.prompt), ("completion", usage.completion)] {
            let counter = self.0.tokens.get_or_create(&KindLabels { kind });
            counter.inc_by(tokens as u64);
        }
    }

    pub(crate) fn evidence(&self) {
        self.0.evidence.inc();
    }

    pub(crate) fn miners(&self, count: usize) {
        self.0.miners.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
