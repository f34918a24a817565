//! Answers to `/v1/chat/completions` and `/v1/completions`: whole, or as they come.
//!
//! A request is read, charged, and becomes one draw for each answer. Nothing is sent before every draw has begun, so that what
//! cannot be answered is told by its status code. From then on a stream is a task with a bounded channel to its client: a client
//! that reads slowly slows the task, and one that hangs up ends it, and with it the asks.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use athanor_model::tokenizer::TokenizerError;
use athanor_spec::Finish;
use futures::future::try_join_all;
use hyper::{
    Response,
    body::Bytes,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use rand::Rng as _;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    api::{ApiError, Ended, Reference, Request, Shown, Surface, Usage, Writer},
    door::Charge,
    draw::{Draw, Drawn},
    fleet::Aim,
    keys::KeyEntry,
    likelihoods::Replay,
    metrics::Stream,
    prepare::Prepared,
    quota::Left,
    route::Steadiness,
    server::{Body, Shared, json_response, stream_body},
    wording::Wording,
};

/// Chunks that may wait for a client.
const CHUNKS: usize = 16;

/// A request as it came in.
pub(crate) struct Asked {
    pub(crate) surface: Surface,
    pub(crate) key: KeyEntry,
    pub(crate) body: Bytes,
    /// What its header says of audits.
    pub(crate) audit: Option<bool>,
}

/// What all answers to one request share.
struct Job {
    shared: Arc<Shared>,
    request: Request,
    writer: Writer,
    key: KeyEntry,
    audit: bool,
    prompt_tokens: usize,
    began: Instant,
    _place: (OwnedSemaphorePermit, Stream),
}

/// One answer to come.
struct Choice {
    index: usize,
    draw: Draw,
    wording: Wording,
}

/// What one answer took.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// Tokens that the user was shown, the one that ended them included.
    shown: usize,
    /// Tokens of prompt and answer that the miner worked on.
    worked: usize,
}

/// Answers a request.
pub(crate) async fn answer(shared: Arc<Shared>, asked: Asked) -> Result<Response<Body>, ApiError> {
    let began = Instant::now();
    let Asked {
        surface,
        key,
        body,
        audit,
    } = asked;
    let permit = shared.permits.clone().try_acquire_owned();
    let place = (
        permit.map_err(|_| ApiError::Overloaded)?,
        shared.metrics.begin(),
    );
    let (request, prepared) = read(&shared, surface, body).await?;
    let target = shared.target(&request.model)?;
    let Prepared {
        asks,
        prompt_tokens,
        route,
    } = prepared;
    let wanted = asks
        .iter()
        .map(|ask| ask.prompt.len() + usize::from(ask.max_new_tokens))
        .sum::<usize>();
    let (charge, left) = shared
        .door
        .enter(&key, u32::try_from(wanted).unwrap_or(u32::MAX))?;
    let how = match request.seed {
        Some(_) => Steadiness::Steady,
        None => Steadiness::Live,
    };
    let mut choices = Vec::with_capacity(asks.len());
    for (index, ask) in asks.into_iter().enumerate() {
        // Each answer has a draw of its own: many to one prompt are not many to one miner.
        let own = *blake3::keyed_hash(&route, &(index as u64).to_le_bytes()).as_bytes();
        let aim = Aim {
            target,
            how,
            draw: own,
        };
        choices.push(Choice {
            index,
            draw: Draw::new(shared.asking.clone(), ask, aim),
            wording: Wording::new(
                &shared.press.tokenizer,
                shared.ends.clone(),
                &request.stop,
                request.max_tokens as usize,
            ),
        });
    }
    let created = SystemTime::now().duration_since(UNIX_EPOCH);
    let job = Job {
        writer: Writer::new(
            surface,
            rand::rng().random(),
            created.map_or(0, |elapsed| elapsed.as_secs()),
            request.model.clone(),
        ),
        audit: audit.or(request.audit).unwrap_or(key.limits.audit),
        shared,
        request,
        key,
        prompt_tokens,
        began,
        _place: place,
    };
    let mut response = match job.request.stream {
        false => whole(job, choices, charge).await?,
        true => streamed(job, choices, charge).await?,
    };
    limits(&mut response, left);
    Ok(response)
}

/// Reads a request off the async threads: what it takes grows with its text.
async fn read(
    shared: &Arc<Shared>,
    surface: Surface,
    body: Bytes,
) -> Result<(Request, Prepared), ApiError> {
    let random = rand::rng().random();
    let reader = shared.clone();
    let work = move || {
        let request = Request::parse(surface, &body, &reader.press.shape)?;
        let prepared = reader.press.prepare(&request, random)?;
        Ok((request, prepared))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(read) => read,
        Err(error) => Err(ApiError::Internal {
            what: error.to_string(),
        }),
    }
}

/// What is left of a key's share, in the headers that OpenAI has for it.
fn limits(response: &mut Response<Body>, left: Left) {
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-remaining-tokens", left.tokens.into());
    let reset = format!("{:.3}s", left.full_in.as_secs_f64());
    if let Ok(reset) = HeaderValue::from_str(&reset) {
        headers.insert("x-ratelimit-reset-tokens", reset);
    }
}

async fn whole(
    job: Job,
    choices: Vec<Choice>,
    mut charge: Charge,
) -> Result<Response<Body>, ApiError> {
    let answers = choices.into_iter().map(|choice| job.whole(choice));
    let answers = match try_join_all(answers).await {
        Ok(answers) => answers,
        Err(error) => {
            charge.used(0);
            return Err(error);
        }
    };
    let mut spent = Spent::default();
    let (mut written, mut receipts, mut fingerprint) = (Vec::new(), Vec::new(), None);
    for Answered {
        choice,
        own,
        of,
        by,
    } in answers
    {
        spent.add(of);
        written.push(choice);
        receipts.push(own);
        fingerprint.get_or_insert(by);
    }
    charge.used(spent.worked);
    let usage = job.usage(spent);
    let ids: Vec<&str> = receipts
        .iter()
        .filter_map(|own| own["id"].as_str())
        .collect();
    let ids = HeaderValue::from_str(&ids.join(","));
    let own = json!({"receipts": receipts});
    let object = job
        .writer
        .whole(written, usage, fingerprint.as_deref(), own);
    let mut response = json_response(hyper::StatusCode::OK, &object);
    if let Ok(ids) = ids {
        response.headers_mut().insert("x-athanor-receipt", ids);
    }
    job.shared.metrics.answered(usage, job.began.elapsed());
    Ok(response)
}

async fn streamed(
    job: Job,
    mut choices: Vec<Choice>,
    mut charge: Charge,
) -> Result<Response<Body>, ApiError> {
    let begun = try_join_all(choices.iter_mut().map(|choice| choice.draw.begin())).await;
    if let Err(error) = begun {
        charge.used(0);
        return Err(error);
    }
    let (chunks, body) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        let streams = choices
            .into_iter()
            .map(|choice| job.stream(choice, &chunks));
        let streams = try_join_all(streams);
        let ended = tokio::select! {
            // Nobody listens any more: what is under way is dropped, and so cancelled.
            () = chunks.closed() => return,
            ended = streams => ended,
        };
        match ended {
            Err(Interrupted::Gone) => return,
            Err(Interrupted::Failed(error)) => {
                charge.used(0);
                let _ = chunks.send(event(&error.body())).await;
                return;
            }
            Ok(all) => {
                let mut spent = Spent::default();
                all.into_iter().for_each(|one| spent.add(one));
                charge.used(spent.worked);
                let usage = job.usage(spent);
                job.shared.metrics.answered(usage, job.began.elapsed());
                if job.request.include_usage {
                    let _ = chunks.send(event(&job.writer.usage(usage))).await;
                }
            }
        }
        let _ = chunks.send(Bytes::from_static(b"data: [DONE]\n\n")).await;
    });
    let mut response = Response::new(stream_body(body));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that gather what they pass on would make a stream one piece.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn event(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

impl Spent {
    fn add(&mut self, other: Self) {
        self.shown += other.shown;
        self.worked += other.worked;
    }
}

/// A whole answer, as it is written.
struct Answered {
    choice: Value,
    /// What is told of its receipt.
    own: Value,
    of: Spent,
    /// The fingerprint of the checkpoint that it is by.
    by: String,
}

/// Why a stream does not go on.
enum Interrupted {
    /// Nobody listens any more.
    Gone,
    Failed(ApiError),
}

impl From<ApiError> for Interrupted {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl Job {
    async fn whole(&self, choice: Choice) -> Result<Answered, ApiError> {
        let Choice {
            index,
            mut draw,
            mut wording,
        } = choice;
        let drawn = draw.whole().await?;
        let mut text = String::new();
        take(
            &mut wording,
            &drawn.receipt.answer.payload.tokens,
            &mut text,
        )?;
        let ended = close(&mut wording, &drawn, &mut text)?;
        let told = self.told(&wording, &drawn).await?;
        Ok(Answered {
            choice: self.writer.choice(index, &text, ended, told.as_deref()),
            own: self.receipt(index, &drawn),
            of: spent(&wording, &drawn),
            by: fingerprint(&drawn),
        })
    }

    async fn stream(
        &self,
        choice: Choice,
        chunks: &mpsc::Sender<Bytes>,
    ) -> Result<Spent, Interrupted> {
        let Choice {
            index,
            mut draw,
            mut wording,
        } = choice;
        let send = async |value: Value| {
            let sent = chunks.send(event(&value)).await;
            sent.map_err(|_| Interrupted::Gone)
        };
        if let Some(opening) = self.writer.opening(index) {
            send(opening).await?;
        }
        // With log-probabilities nothing is shown before they are known, which is when the answer is whole.
        let at_once = self.request.logprobs.is_none();
        let (mut text, mut heard) = (String::new(), 0);
        while let Some(tokens) = draw.next().await {
            heard += tokens.len();
            self.check(&tokens)?;
            take(&mut wording, &tokens, &mut text)?;
            if at_once && !text.is_empty() {
                send(self.writer.piece(index, &std::mem::take(&mut text), None)).await?;
            }
        }
        let drawn = draw.finish().await?;
        let tokens = &drawn.receipt.answer.payload.tokens;
        take(&mut wording, &tokens[heard.min(tokens.len())..], &mut text)?;
        let ended = close(&mut wording, &drawn, &mut text)?;
        match self.told(&wording, &drawn).await? {
            None if text.is_empty() => {}
            None => send(self.writer.piece(index, &text, None)).await?,
            Some(told) => {
                for (place, one) in told.iter().enumerate() {
                    let end = told.get(place + 1).map_or(text.len(), |next| next.offset);
                    let piece = text
                        .get(one.offset..end.min(text.len()))
                        .unwrap_or_default();
                    send(
                        self.writer
                            .piece(index, piece, Some(std::slice::from_ref(one))),
                    )
                    .await?;
                }
            }
        }
        let own = self.receipt(index, &drawn);
        let closing = self
            .writer
            .closing(index, ended, Some(&fingerprint(&drawn)), own);
        send(closing).await?;
        Ok(spent(&wording, &drawn))
    }

    /// Tokens are shown before the answer is whole and checked; one that nobody knows would have no text.
    fn check(&self, tokens: &[u32]) -> Result<(), ApiError> {
        let known = self.shared.press.shape.vocab_size;
        match tokens.iter().all(|token| *token < known) {
            true => Ok(()),
            false => Err(ApiError::Broken {
                why: "a token outside of the vocabulary".to_owned(),
            }),
        }
    }

    /// The log-probabilities of what the user sees, if they are wanted.
    async fn told(&self, wording: &Wording, drawn: &Drawn) -> Result<Option<Vec<Shown>>, ApiError> {
        let Some(top) = self.request.logprobs else {
            return Ok(None);
        };
        let failed = |why: String| ApiError::NoLikelihoods { why };
        let (ask, answer) = (&drawn.receipt.ask.payload, &drawn.receipt.answer.payload);
        let checkpoint = match self.request.reference {
            Reference::Teacher => self.shared.teacher.clone(),
            Reference::Miner => {
                let artifact = drawn.candidate.artifact(&answer.checkpoint);
                let artifact = artifact.ok_or_else(|| failed("no such checkpoint".to_owned()))?;
                artifact.await.map_err(|error| failed(error.to_string()))?
            }
        };
        let replay = Replay {
            checkpoint,
            tokens: [&ask.prompt[..], &answer.tokens[..wording.used()]].concat(),
            from: ask.prompt.len(),
            top,
        };
        let positions = self.shared.likelihoods.of(replay).await;
        let positions = positions.map_err(|error| failed(error.to_string()))?;
        let seen = wording.seen(self.request.token_ids);
        let shown = seen.into_iter().filter_map(|(place, token, offset)| {
            let position = positions.get(place)?;
            let spelt = |token: u32| self.shared.spelling(token, self.request.token_ids);
            let mut top: Vec<(String, f32)> = position
                .top
                .iter()
                .map(|(token, logprob)| (spelt(*token), *logprob))
                .collect();
            let known = position.top.iter().any(|(likely, _)| *likely == token);
            if self.writer.surface == Surface::Completions && !known && !top.is_empty() {
                // As with OpenAI, where the token that was drawn is always among them.
                top.push((spelt(token), position.logprob));
            }
            Some(Shown {
                token: spelt(token),
                logprob: position.logprob,
                top,
                offset,
            })
        });
        Ok(Some(shown.collect()))
    }

    /// What is told of an answer's receipt, which is kept for later and, with the user's consent, goes to the audit.
    fn receipt(&self, index: usize, drawn: &Drawn) -> Value {
        let mut told = self.shared.told_of(drawn);
        told["index"] = json!(index);
        told["audit"] = json!(self.audit);
        if self.request.keep
            && let Some(id) = told["id"].as_str()
        {
            self.shared
                .receipts
                .keep(id, &self.key.id, told.to_string());
        }
        if self.audit {
            self.shared.join_audit(drawn);
        }
        told
    }

    fn usage(&self, spent: Spent) -> Usage {
        Usage {
            prompt: self.prompt_tokens,
            completion: spent.shown,
        }
    }
}

fn take(wording: &mut Wording, tokens: &[u32], text: &mut String) -> Result<(), ApiError> {
    for token in tokens {
        text.push_str(&wording.push(*token).map_err(wordless)?);
    }
    Ok(())
}

/// Ends the text where the answer ended.
fn close(wording: &mut Wording, drawn: &Drawn, text: &mut String) -> Result<Ended, ApiError> {
    let why = match drawn.receipt.answer.payload.finish {
        Finish::Stop => Ended::Stop,
        Finish::Length => Ended::Length,
    };
    text.push_str(&wording.end(why).map_err(wordless)?);
    Ok(wording.ended().unwrap_or(why))
}

fn wordless(error: TokenizerError) -> ApiError {
    ApiError::Internal {
        what: error.to_string(),
    }
}

fn spent(wording: &Wording, drawn: &Drawn) -> Spent {
    let (ask, answer) = (&drawn.receipt.ask.payload, &drawn.receipt.answer.payload);
    Spent {
        shown: wording.used(),
        worked: ask.prompt.len() + answer.tokens.len(),
    }
}

/// What the answer with the same seed depends on: the checkpoint.
fn fingerprint(drawn: &Drawn) -> String {
    format!("fp_{}", drawn.receipt.answer.payload.checkpoint.short())
}

/// How long a client should wait, in whole seconds.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil() as u64
}
