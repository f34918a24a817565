//! Ask a service for signatures, by HTTP with a bearer token.

use std::{fmt, sync::Arc, time::Duration};

use athanor_spec::Hotkey;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sp_core::{Pair as _, sr25519};
use ureq::Agent;

use super::{Purpose, SignError};

/// Where the service says whose signatures it makes.
pub const KEY_PATH: &str = "/v1/key";
/// Where it signs.
pub const SIGN_PATH: &str = "/v1/sign";
/// Largest body that either side reads: an answer of a model with room to spare, in hexadecimal digits.
pub const MAX_BODY: u64 = 1 << 20;

/// Longest wait for one answer; signing takes a tenth of a millisecond, the rest is the network.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pauses before asking again where nobody answered: a service that is restarted is back within them.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Connections that are kept for the next answers.
const CONNECTIONS: usize = 16;

/// Answer at [`KEY_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAnswer {
    /// Whose signatures it makes.
    pub hotkey: Hotkey,
}

/// Request at [`SIGN_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignRequest {
    /// What the bytes are.
    pub purpose: Purpose,
    /// What to sign, in hexadecimal digits.
    pub bytes: String,
}

/// Answer at [`SIGN_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignAnswer {
    /// The sr25519 signature, in hexadecimal digits.
    pub signature: String,
}

/// Answer to what is not signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignRefusal {
    /// Why.
    pub error: String,
}

/// A service that signs, cheap to clone.
#[derive(Clone)]
pub struct RemoteSigner {
    hotkey: Hotkey,
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    authorization: String,
    /// `None` until it has said so.
    hotkey: Option<Hotkey>,
    agent: Agent,
}

impl RemoteSigner {
    /// Asks the service at `url` whose signatures it makes.
    pub async fn connect(url: &str, token: &str) -> Result<Self, SignError> {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections_per_host(CONNECTIONS)
            .max_idle_connections(CONNECTIONS)
            .build();
        let mut inner = Inner {
            url: url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
            hotkey: None,
            agent: config.new_agent(),
        };
        off_the_executor(move || {
            let KeyAnswer { hotkey } = inner.ask(KEY_PATH, None)?;
            inner.hotkey = Some(hotkey);
            Ok(Self {
                hotkey,
                inner: Arc::new(inner),
            })
        })
        .await
    }

    /// Whose signatures it makes.
    pub fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    pub(super) async fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Result<[u8; 64], SignError> {
        let hotkey = self.hotkey;
        let (inner, bytes) = (self.inner.clone(), bytes.to_vec());
        off_the_executor(move || inner.sign(hotkey, purpose, &bytes)).await
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSigner")
            .field("url", &self.inner.url)
            .field("hotkey", &self.hotkey)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn sign(&self, hotkey: Hotkey, purpose: Purpose, bytes: &[u8]) -> Result<[u8; 64], SignError> {
        let request = SignRequest {
            purpose,
            bytes: hex::encode(bytes),
        };
        let answer: SignAnswer = self.ask(SIGN_PATH, Some(&request))?;
        let mut signature = [0; 64];
        let decoded = hex::decode_to_slice(&answer.signature, &mut signature).is_ok();
        let made = sr25519::Signature::from_raw(signature);
        let public = sr25519::Public::from_raw(hotkey.0);
        // A wrong signature would be this node's fault in front of its peers.
        match decoded && sr25519::Pair::verify(&made, bytes, &public) {
            true => Ok(signature),
            false => Err(self.not_the_signer("its signature does not verify")),
        }
    }

    fn ask<A: DeserializeOwned>(
        &self,
        path: &str,
        request: Option<&SignRequest>,
    ) -> Result<A, SignError> {
        let mut pauses = PAUSES.iter();
        loop {
            let result = self.ask_once(path, request);
            match (&result, pauses.next()) {
                (Err(SignError::Unreachable { .. }), Some(pause)) => std::thread::sleep(*pause),
                _ => return result,
            }
        }
    }

    fn ask_once<A: DeserializeOwned>(
        &self,
        path: &str,
        request: Option<&SignRequest>,
    ) -> Result<A, SignError> {
        let url = format!("{}{path}", self.url);
        let unreachable = |error: ureq::Error| SignError::Unreachable {
            url: self.url.clone(),
            reason: error.to_string(),
        };
        let sent = match request {
            Some(request) => self
                .agent
                .post(&url)
                .header("authorization", &self.authorization)
                .send_json(request),
            None => self
                .agent
                .get(&url)
                .header("authorization", &self.authorization)
                .call(),
        };
        let mut response = sent.map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_BODY);
        let body = body.read_to_vec().map_err(unreachable)?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|error| {
                self.not_the_signer(&format!("it answers no JSON of ours ({error})"))
            }),
            401 => Err(SignError::NotAuthorised {
                url: self.url.clone(),
            }),
            _ => match serde_json::from_slice(&body) {
                Ok(SignRefusal { error: reason }) => Err(SignError::Refused {
                    url: self.url.clone(),
                    reason,
                }),
                Err(_) => Err(self.not_the_signer(&format!("it answers with status {status}"))),
            },
        }
    }

    fn not_the_signer(&self, reason: &str) -> SignError {
        let known = self.hotkey.map(|hotkey| hotkey.to_string());
        let hotkey = known.unwrap_or_else(|| "any hotkey".to_owned());
        SignError::NotTheSigner {
            url: self.url.clone(),
            hotkey,
            reason: reason.to_owned(),
        }
    }
}

/// Waits on a thread of its own for what blocks; a panic there is passed on.
async fn off_the_executor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SignError> + Send + 'static,
) -> Result<T, SignError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(SignError::Unreachable {
                url: String::new(),
                reason: "this process ends".to_owned(),
            }),
        },
    }
}
