//! What a client is told when there is no answer: OpenAI's error objects with OpenAI's status codes.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use thiserror::Error;

/// Why a request is not answered. The words are for the person who wrote the client.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ApiError {
    /// There is no key.
    #[error("you did not provide an API key: send it as `Authorization: Bearer KEY`")]
    NoKey,
    /// The key is unknown or was revoked.
    #[error("incorrect API key provided: ask this gateway's operator for one")]
    BadKey,
    /// There is nothing at this path.
    #[error("unknown request URL: {method} {path}")]
    UnknownUrl {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// The path exists for another method.
    #[error("{path} takes {allowed}")]
    WrongMethod {
        /// The path.
        path: String,
        /// The method that it takes.
        allowed: &'static str,
    },
    /// The body is larger than is read.
    #[error("the request's body has more than {limit} bytes")]
    BodyTooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// The body did not arrive.
    #[error("the request's body did not arrive whole")]
    BodyCut,
    /// The body is not a JSON object.
    #[error("we could not parse the JSON body of your request: {what}")]
    NotJson {
        /// What the parser says.
        what: String,
    },
    /// A parameter that must be there is not.
    #[error("missing required parameter: '{param}'")]
    Missing {
        /// The parameter.
        param: &'static str,
    },
    /// A parameter has a wrong value.
    #[error("invalid value for '{param}': {expected}")]
    Invalid {
        /// The parameter.
        param: String,
        /// What is expected.
        expected: String,
    },
    /// A parameter is OpenAI's, and no audit ever uses it.
    #[error(
        "'{param}' is not supported by this gateway, as answers with it could not be audited: {instead}"
    )]
    Unsupported {
        /// The parameter.
        param: String,
        /// What to do instead.
        instead: String,
    },
    /// A parameter is nobody's.
    #[error("unrecognized request argument supplied: {param}")]
    Unknown {
        /// The parameter.
        param: String,
    },
    /// No such model.
    #[error("the model '{model}' does not exist: GET /v1/models lists those that do")]
    UnknownModel {
        /// The name.
        model: String,
    },
    /// The prompt does not fit.
    #[error("this model's maximum prompt length is {limit} tokens; your prompt has {tokens}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// The most that are taken.
        limit: u32,
    },
    /// No receipt of this name was given to this key, or it is no longer kept.
    #[error("there is no receipt '{id}' of this key's")]
    NoReceipt {
        /// The name.
        id: String,
    },
    /// The key's tokens of this minute are used up.
    #[error(
        "rate limit reached for this key: {limit} tokens per minute, {wanted} wanted; try again in {} s", 
        retry_after.as_secs_f64().ceil()
    )]
    TokensUsedUp {
        /// Tokens per minute.
        limit: u32,
        /// Tokens that the request may use.
        wanted: u32,
        /// When it would be admitted.
        retry_after: Duration,
    },
    /// A request that this key can never afford.
    #[error("the request may use {wanted} tokens; this key has {limit} per minute")]
    NeverAffordable {
        /// Tokens that the request may use.
        wanted: u32,
        /// Tokens per minute.
        limit: u32,
    },
    /// As many requests of the key are in flight as it may have.
    #[error("rate limit reached for this key: {limit} requests in flight")]
    TooManyInFlight {
        /// Requests at a time.
        limit: u32,
    },
    /// The gateway itself is full.
    #[error("the gateway is overloaded: try again shortly")]
    Overloaded,
    /// Every miner that could be asked has more work than it takes.
    #[error("every miner that can answer is full: try again in {} ms", retry_after.as_millis())]
    Full {
        /// When one of them takes work again, by its own word.
        retry_after: Duration,
    },
    /// No miner can be asked now.
    #[error("no miner of the subnet can be asked now: try again shortly")]
    NoMiner,
    /// Every miner that was asked failed.
    #[error("{asked} miners were asked and none answered; the last one: {last}")]
    AllFailed {
        /// How many were asked.
        asked: usize,
        /// Why the last one failed.
        last: String,
    },
    /// The miner failed after a part of its answer was delivered.
    #[error("the miner failed in the middle of its answer: {why}")]
    Broken {
        /// Why.
        why: String,
    },
    /// The likelihoods could not be computed.
    #[error("the answer's log-probabilities could not be computed: {why}")]
    NoLikelihoods {
        /// Why.
        why: String,
    },
    /// The gateway failed.
    #[error("the gateway failed: {what}")]
    Internal {
        /// What failed.
        what: String,
    },
}

impl ApiError {
    /// The status code of the response.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::BadKey => StatusCode::UNAUTHORIZED,
            Self::UnknownUrl { .. } | Self::UnknownModel { .. } | Self::NoReceipt { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyCut
            | Self::NotJson { .. }
            | Self::Missing { .. }
            | Self::Invalid { .. }
            | Self::Unsupported { .. }
            | Self::Unknown { .. }
            | Self::NeverAffordable { .. }
            | Self::PromptTooLong { .. } => StatusCode::BAD_REQUEST,
            Self::TokensUsedUp { .. } | Self::TooManyInFlight { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Overloaded | Self::Full { .. } | Self::NoMiner => StatusCode::SERVICE_UNAVAILABLE,
            Self::AllFailed { .. } | Self::Broken { .. } => StatusCode::BAD_GATEWAY,
            Self::NoLikelihoods { .. } | Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Earliest time at which asking again makes sense, where it does.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TokensUsedUp { retry_after, .. } | Self::Full { retry_after } => {
                Some(*retry_after)
            }
            Self::TooManyInFlight { .. } | Self::Overloaded | Self::NoMiner => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }

    /// The body of the response, or of the event that ends a stream.
    pub(crate) fn body(&self) -> Value {
        let (kind, code) = self.names();
        json!({"error": {
            "message": self.to_string(),
            "type": kind,
            "param": self.param(),
            "code": code,
        }})
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::Missing { param } => Some(param),
            Self::Invalid { param, .. }
            | Self::Unsupported { param, .. }
            | Self::Unknown { param } => Some(param),
            Self::UnknownModel { .. } => Some("model"),
            _ => None,
        }
    }

    /// The error's type and code, as OpenAI names them where it has the error too.
    fn names(&self) -> (&'static str, Option<&'static str>) {
        let invalid = "invalid_request_error";
        match self {
            Self::NoKey | Self::BadKey => (invalid, Some("invalid_api_key")),
            Self::UnknownUrl { .. } => (invalid, Some("unknown_url")),
            Self::WrongMethod { .. } => (invalid, Some("method_not_supported")),
            Self::BodyTooLarge { .. } => (invalid, Some("request_too_large")),
            Self::BodyCut | Self::NotJson { .. } => (invalid, None),
            Self::Missing { .. } => (invalid, Some("missing_required_parameter")),
            Self::Invalid { .. } => (invalid, Some("invalid_value")),
            Self::Unsupported { .. } => (invalid, Some("unsupported_parameter")),
            Self::Unknown { .. } => (invalid, Some("unknown_parameter")),
            Self::UnknownModel { .. } => (invalid, Some("model_not_found")),
            Self::PromptTooLong { .. } => (invalid, Some("context_length_exceeded")),
            Self::NoReceipt { .. } => (invalid, Some("receipt_not_found")),
            Self::NeverAffordable { .. } => (invalid, Some("tokens_limit_too_low")),
            Self::TokensUsedUp { .. } => ("tokens", Some("rate_limit_exceeded")),
            Self::TooManyInFlight { .. } => ("requests", Some("rate_limit_exceeded")),
            Self::Overloaded | Self::Full { .. } => ("server_error", Some("overloaded")),
            Self::NoMiner => ("server_error", Some("no_miner")),
            Self::AllFailed { .. } | Self::Broken { .. } => ("server_error", Some("miner_failed")),
            Self::NoLikelihoods { .. } => ("server_error", Some("no_logprobs")),
            Self::Internal { .. } => ("server_error", None),
        }
    }
}
