//! How a miner turns an ask into an answer: honestly, or as a red team tells it to.
//!
//! This is the seam at which the subnet's adversaries enter; a miner that is run to earn leaves it alone. Everything
//! else of a cheating miner (admission, signatures, commitments, network) is that of an honest one, so that what a
//! cheat earns is due to the cheat and to nothing else.

use std::{fmt, pin::Pin, sync::Arc};

use athanor_net::Responder;
use athanor_spec::{Ask, Refusal};

use crate::{Backend, Draft, backend::Drawn};

/// The answer in the making.
pub type Drafting = Pin<Box<dyn Future<Output = Result<Draft, Refusal>> + Send>>;

/// How asks become answers.
#[derive(Clone, Default)]
pub enum Behaviour {
    /// The backend draws what was asked for.
    #[default]
    Honest,
    /// Called with each admitted ask and the miner's own backend: may change the ask (ignore its seed), draw from
    /// another backend and claim the own checkpoint (relay), or rewrite the tokens (loop). The miner signs what comes
    /// back, whatever it is.
    Custom(Arc<dyn Fn(Ask, Backend) -> Drafting + Send + Sync>),
}

impl Behaviour {
    /// A behaviour from an async function.
    pub fn custom<F>(draft: impl Fn(Ask, Backend) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Draft, Refusal>> + Send + 'static,
    {
        Self::Custom(Arc::new(move |ask, backend| Box::pin(draft(ask, backend))))
    }

    /// Turns an ask into what is to be said of it. An honest miner streams every token as it is drawn; a custom behaviour
    /// may still rewrite them, so that its answer comes whole at the end.
    pub(crate) async fn answer(&self, ask: Ask, backend: &Backend, reply: Responder) -> Drawn {
        match self {
            Self::Honest => backend.stream(&ask, reply).await,
            Self::Custom(draft) => {
                let left = reply.cancelled();
                tokio::select! {
                    draft = draft(ask, backend.clone()) => match draft {
                        Ok(draft) => Drawn::Whole(draft, reply),
                        Err(refusal) => Drawn::Refused(refusal, reply),
                    },
                    () = left => Drawn::Left,
                }
            }
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Honest => "Honest",
            Self::Custom(_) => "Custom",
        })
    }
}
