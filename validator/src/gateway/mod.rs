//! An OpenAI-compatible API for the validator's users, answered by the subnet's miners, with a receipt for every answer.
//!
//! A request becomes asks ([`prepare`]) that look like audits, goes to miners by what they are worth ([`route`], [`hedge`],
//! [`draw`]), and comes back as text ([`wording`]) with log-probabilities that are recomputed here ([`likelihoods`]) and with
//! what proves it ([`receipts`]). [`door`] keeps out who has no key or has used its share.
//!
//! - *Ownership.* One task serves HTTP; a request is a task below it. The fleet, the shares and the keys are leaf caches, each
//!   behind a short lock that nothing waits under. Two threads own the models of the replays and the store of receipts.
//! - *Backpressure.* Connections, requests, bodies, prompts, answers and the chunks that wait for a client are all bounded;
//!   who exceeds a bound is told by a status code. A client that hangs up cancels its asks.
//! - *Failure ladder.* A miner that fails before its first token is followed by the next one; after it, a stream ends with an
//!   error and a whole answer is asked for elsewhere. A receipt that cannot be kept is still in the answer.

pub mod api;

mod answer;
mod command;
mod door;
mod draw;
mod fleet;
mod hedge;
mod keys;
mod likelihoods;
mod metrics;
mod prepare;
mod quota;
mod receipts;
mod route;
mod server;
mod settings;
mod wording;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use athanor_model::{Checkpoint, DeviceChoice, StopTokens, Tokenizer, text::ChatTemplate};
use athanor_net::Client as Net;
use athanor_node::Metrics;
use athanor_spec::SubnetSpec;
use hyper::header::HeaderValue;
use sp_core::sr25519::{self, vrf::VrfTranscript};
use tokio::{net::TcpListener, sync::Semaphore, sync::mpsc};

use crate::signer::Signer;

pub use command::{KeysArgs, KeysCommand};
pub(crate) use draw::Organic;
pub(crate) use fleet::Candidate;
pub use hedge::HedgeParams;
pub use keys::{KeyEntry, KeyLimits, KeyStore, KeysError};
pub use receipts::ReceiptsError;
pub use server::Gateway;
pub use settings::{GatewayArgs, GatewayConfig, GatewayError};

/// Answers that may wait to join the audit.
pub(crate) const ORGANIC_QUEUE: usize = 64;

/// What of a validator a gateway needs.
pub(crate) struct Parts {
    pub(crate) spec: SubnetSpec,
    pub(crate) net: Net,
    pub(crate) signer: Signer,
    pub(crate) hotkey: sr25519::Pair,
    pub(crate) teacher: Arc<Checkpoint>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) ends: StopTokens,
    pub(crate) device: DeviceChoice,
    pub(crate) data_dir: PathBuf,
    pub(crate) metrics: Metrics,
    /// Where answers go that join the audit.
    pub(crate) organic: mpsc::Sender<Organic>,
}

/// Starts a gateway; it listens when this returns, and has nobody to ask until a round is announced.
pub(crate) async fn start(config: &GatewayConfig, parts: Parts) -> Result<Gateway, GatewayError> {
    let address = config.address;
    let bind = |source| GatewayError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let cors = match &config.cors {
        None => None,
        Some(origin) => Some(
            HeaderValue::from_str(origin).map_err(|_| GatewayError::Origin {
                origin: origin.clone(),
            })?,
        ),
    };
    let metrics = metrics::GatewayMetrics::default();
    let counted = metrics.clone();
    parts
        .metrics
        .also(move |registry| counted.register(registry));
    let limits = &parts.spec.limits;
    let fleet = fleet::Fleet::new(config.hedge);
    let shared = server::Shared {
        asking: Arc::new(draw::Asking {
            net: parts.net,
            signer: parts.signer,
            vocab_size: parts.spec.subnet.vocab_size,
            deadline: Duration::from_millis(parts.spec.round.deadline_ms.into()),
            fleet: fleet.clone(),
            metrics: metrics.clone(),
        }),
        fleet,
        metrics,
        press: prepare::Press {
            tokenizer: parts.tokenizer,
            template: ChatTemplate::open(&parts.teacher.dir)?,
            shape: api::Shape::of(&parts.spec),
            secret: secret(&parts.hotkey),
        },
        ends: parts.ends,
        teacher: parts.teacher,
        likelihoods: likelihoods::Likelihoods::spawn(parts.device).map_err(GatewayError::Thread)?,
        receipts: receipts::Receipts::open(&parts.data_dir.join("receipts.redb"), config.receipts)?,
        door: Arc::new(door::Door::open(config.keys.clone())?),
        permits: Arc::new(Semaphore::new(config.requests.min(Semaphore::MAX_PERMITS))),
        organic: parts.organic,
        name: parts.spec.subnet.name.clone(),
        started: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs()),
        cors,
        // Whatever fits the longest prompt, in words or in numbers, and the rest of a request.
        max_body: (64 << 10) + 16 * limits.max_prompt_tokens as usize,
    };
    tracing::info!(url = format!("http://{address}/v1"), "serving users");
    Ok(Gateway::serve(listener, address, shared, parts.metrics))
}

/// What users' seeds are hidden with: it follows from the hotkey, so that a seed means the same after a restart.
fn secret(hotkey: &sr25519::Pair) -> [u8; 32] {
    let transcript = VrfTranscript::new(b"athanor/gateway", &[(b"for", b"seeds")]);
    hotkey.make_bytes::<32>(b"athanor/gateway-seeds", &transcript)
}
