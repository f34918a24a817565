//! Users do not wait for a miner that hangs: another one is asked beside it, and what it says is heard.

use std::{
    collections::HashSet,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use athanor_miner::Behaviour;
use athanor_spec::Digest;
use athanor_validator::gateway::HedgeParams;
use serde_json::json;

use crate::openai::service::{MODEL, Service, Terms};

/// Requests that must have been served before there is a usual time to the first token.
const USUAL: usize = 20;
/// Requests whose first miner hangs.
const HANGING: usize = 6;

/// Whether miners hang, and the asks that one of them has seen.
#[derive(Default)]
struct Trouble {
    on: AtomicBool,
    seen: Mutex<HashSet<Digest>>,
}

/// Of two miners, the first that is asked something never answers it; the other one does.
fn the_first_hangs(trouble: &Arc<Trouble>) -> Behaviour {
    let trouble = trouble.clone();
    Behaviour::custom(move |ask, backend| {
        let trouble = trouble.clone();
        async move {
            let first = trouble.seen.lock().unwrap().insert(ask.hash());
            if first && trouble.on.load(Ordering::Relaxed) {
                return pending().await;
            }
            backend.draft(&ask).await
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_hangs_is_outrun_by_another_one_and_one_that_is_gone_is_replaced() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let trouble = Arc::new(Trouble::default());
    let terms = Terms {
        behaviour: the_first_hangs(&trouble),
        hedge: Some(HedgeParams {
            quantile: 0.95,
            share: 1.0,
        }),
        ..Terms::default()
    };
    let mut service = Service::start_on(2, terms).await;
    let served = async |service: &Service| {
        let body = json!({
            "model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "copy a b c"}],
        });
        let response = service.post("/v1/chat/completions", &body).await;
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()["athanor"]["receipts"][0]["miner"].to_string()
    };
    for _ in 0..USUAL {
        served(&service).await;
    }
    // On a busy machine some of these were slow enough to be hedged.
    let before = decided(&service, "hedge_won");

    trouble.on.store(true, Ordering::Relaxed);
    for _ in 0..HANGING {
        served(&service).await;
    }
    trouble.on.store(false, Ordering::Relaxed);
    let won = decided(&service, "hedge_won") - before;
    assert_eq!(won, HANGING, "{}", service.metrics.text().unwrap());

    // The one that is gone answers nobody, and whoever is left serves everybody.
    let gone = service.miners.remove(0);
    gone.shutdown().await;
    let mut signers = HashSet::new();
    for _ in 0..HANGING {
        signers.insert(served(&service).await);
    }
    assert_eq!(signers.len(), 1, "{signers:?}");
    service.end().await;
}

/// How often the gateway decided so.
fn decided(service: &Service, decision: &str) -> usize {
    let name = format!("athanor_gateway_asks_total{{decision=\"{decision}\"}} ");
    let text = service.metrics.text().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.trim().parse().unwrap())
}
