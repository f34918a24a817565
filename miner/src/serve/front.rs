//! The task that decides who is served and whose turn it is.
//!
//! - *Ownership.* It owns admission, the queue, and the counts of what runs. Nothing else changes them.
//! - *Backpressure.* Signatures in verification, answers in progress, reads from disk and asks that wait each have a bound;
//!   beyond it a request is refused at once. The channel on which tasks report holds one place for each of them, so that no
//!   report ever waits.
//! - *End.* When told to stop it refuses what is new, serves what it has admitted, and gives up what is left at the deadline.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use athanor_net::{Inbound, InboundRequest, PeerId, Responder, Serving};
use athanor_spec::{
    Ask, DeltaQuery, Fetch, Hotkey, Refusal, Signed,
    envelope::MAX_WINDOW_MS,
    wire::{Request, Response},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Server, Watermark, now_ms};
use crate::{
    admission::{
        self, Admission, Allowance, Charge, Displaced, FairQueue, Pace, Roster, Strikes, Ticket,
        Weight,
    },
    deltas::Deltas,
    service::ServiceConfig,
    tally::Tally,
};

/// Signatures in verification at once, or waiting for it: a tenth of a second of one core's work.
const MAX_VERIFYING: usize = 1024;
/// ... of which one peer may have sent this many: what a busy gateway sends in a burst.
const MAX_VERIFYING_PER_PEER: usize = 256;
/// Hint when that many are being verified.
const VERIFY_RETRY_MS: u32 = 20;
/// Ranges read at once, 16 megabytes: more would only compete for the same disk and memory.
const MAX_READS: usize = 64;
/// ... of which one hotkey may have asked for this many: requests that a line has held up come together.
const MAX_READS_PER_HOTKEY: usize = 32;
/// Hint when that many are being read; one takes milliseconds.
const READ_RETRY_MS: u32 = 50;
/// Answers begun beyond the engine's slots, as a share of them, so that a slot that becomes free is taken in the same turn.
const AHEAD: usize = 4;

/// How often others hear anew how much room there is.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// See the module.
pub(crate) struct Front {
    // Interfaces.
    server: Arc<Server>,
    admission: Admission,
    watermark: Watermark,
    serving: watch::Sender<Serving>,
    // Configuration.
    slots: usize,
    limit: usize,
    drain: watch::Receiver<Duration>,
    allowance: watch::Receiver<Allowance>,
    roster: watch::Receiver<Arc<Roster>>,
    // Messaging.
    reports: mpsc::Receiver<Report>,
    report: mpsc::Sender<Report>,
    tasks: JoinSet<()>,
    // State.
    queue: FairQueue<Waiting>,
    pace: Pace,
    strikes: Strikes<PeerId>,
    verifying: Counts<PeerId>,
    reading: Counts<Hotkey>,
    answering: usize,
    draining: bool,
}

/// An ask that was admitted.
struct Waiting {
    ask: Signed<Ask>,
    weight: Weight,
    reply: Responder,
}

/// What a task has done.
enum Report {
    Verified {
        peer: PeerId,
        request: Request,
        reply: Responder,
        verdict: Result<(), Refusal>,
    },
    Answered {
        asker: Hotkey,
        weight: Weight,
        charged: u32,
        /// Tokens of prompt and answer; `None` if the asker left before the end.
        used: Option<u32>,
    },
    Read {
        asker: Hotkey,
    },
}

/// The time of signing from which on messages are taken by a process that starts at `now_ms`. A mark that lies further ahead
/// than any message may last was written by a clock that has been set since.
fn not_before(watermark: &Watermark, now_ms: u64) -> u64 {
    let mark = watermark.ms().min(now_ms.saturating_add(MAX_WINDOW_MS));
    now_ms.max(mark.saturating_add(1))
}

impl Front {
    /// A front that begins at `started_ms`, milliseconds since the Unix epoch.
    pub(crate) fn new(
        config: ServiceConfig,
        deltas: Option<Deltas>,
        watermark: Watermark,
        started_ms: u64,
    ) -> Self {
        let server = Server {
            hotkey: config.hotkey,
            context: config.context,
            backend: config.backend,
            behaviour: config.behaviour,
            blobs: config.blobs,
            deltas,
            feed: config.feed,
            tally: Arc::default(),
            // Answers of an earlier run bear smaller numbers.
            nonce: AtomicU64::new(started_ms << 20),
        };
        let not_before_ms = not_before(&watermark, started_ms);
        let allowance = *config.allowance.borrow();
        let limit = config.slots + config.slots.div_ceil(AHEAD);
        let (report, reports) = mpsc::channel(MAX_VERIFYING + MAX_READS + limit);
        Self {
            server: Arc::new(server),
            admission: Admission::new(config.spec, allowance, not_before_ms),
            watermark,
            serving: config.serving,
            slots: config.slots,
            limit,
            drain: config.drain,
            allowance: config.allowance,
            roster: config.roster,
            reports,
            report,
            tasks: JoinSet::new(),
            queue: FairQueue::new(config.queue.max(1)),
            pace: Pace::default(),
            strikes: Strikes::default(),
            verifying: Counts::default(),
            reading: Counts::default(),
            answering: 0,
            draining: false,
        }
    }

    /// What it does, from the start on.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        self.server.tally.clone()
    }

    /// Serves until told to stop, then until what was admitted is answered or the deadline has passed.
    pub(crate) async fn run(mut self, mut inbound: Inbound, stop: CancellationToken) {
        let mut deadline = None;
        let mut tell = tokio::time::interval(TELL_EVERY);
        loop {
            let drained = self.draining && self.is_idle();
            if drained || deadline.is_some_and(|at| at <= Instant::now()) {
                break;
            }
            let end = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled(), if !self.draining => {
                    self.draining = true;
                    let drain = *self.drain.borrow();
                    deadline = Some(Instant::now() + drain);
                    tracing::info!(
                        answering = self.answering,
                        waiting = self.queue.len(),
                        "no more requests are taken; those in progress have {} s", drain.as_secs()
                    );
                }
                () = end => {}
                _ = tell.tick() => self.tell(),
                Some(report) = self.reports.recv() => self.on_report(report),
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                request = inbound.recv() => match request {
                    Some(request) => self.on_request(request),
                    None => break,
                },
            }
            self.begin_answers();
        }
        self.give_up().await;
    }

    /// Tells the network what others hear who ask.
    fn tell(&self) {
        let free = match self.draining {
            true => 0,
            false => self.slots.saturating_sub(self.answering + self.queue.len()),
        };
        let serving = Serving {
            checkpoint: Some(self.server.backend.checkpoint()),
            free_slots: u32::try_from(free).unwrap_or(u32::MAX),
        };
        self.serving.send_if_modified(|told| {
            let changed = *told != serving;
            *told = serving;
            changed
        });
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.answering == 0 && self.reading.total == 0
    }

    /// Ends what is left: those who wait are told, those who are being answered see the stream end.
    async fn give_up(&mut self) {
        if !self.is_idle() {
            let (answering, waiting) = (self.answering, self.queue.len());
            tracing::warn!(answering, waiting, "given up at the deadline");
        }
        while let Some((asker, _, waiting)) = self.queue.pop() {
            let refusal = Refusal::RESTARTING;
            self.server.refuse(&asker, refusal, waiting.reply);
        }
        self.tasks.shutdown().await;
        let latest = self.admission.latest_issued_ms();
        if let Err(error) = self.watermark.settle(latest) {
            tracing::warn!(%error, "the mark of what was answered is not exact");
        }
    }

    fn on_request(&mut self, request: InboundRequest) {
        let InboundRequest {
            peer,
            request,
            reply,
        } = request;
        let asker = signer(&request);
        match self.screen(peer, &request) {
            Ok(()) => self.verify(peer, request, reply),
            Err(refusal) => self.server.refuse(&asker, refusal, reply),
        }
    }

    /// Everything that can be said without looking at the signature.
    fn screen(&mut self, peer: PeerId, request: &Request) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::RESTARTING);
        }
        let now = now_ms();
        if self.allowance.has_changed().unwrap_or(false) {
            let allowance = *self.allowance.borrow_and_update();
            self.admission.set_allowance(allowance);
        }
        if self.strikes.is_banned(&peer, now) {
            return Err(Refusal::BadSignature);
        }
        let roster = self.roster.borrow();
        match request {
            Request::Ask(ask) => self.admission.screen(&roster, ask, now)?,
            Request::Fetch(fetch) => self.admission.screen(&roster, fetch, now)?,
            Request::Delta(query) => self.admission.screen(&roster, query, now)?,
        };
        if self.verifying.total >= MAX_VERIFYING
            || self.verifying.of(&peer) >= MAX_VERIFYING_PER_PEER
        {
            return Err(Refusal::Overloaded {
                retry_after_ms: VERIFY_RETRY_MS,
            });
        }
        Ok(())
    }

    fn verify(&mut self, peer: PeerId, request: Request, reply: Responder) {
        self.verifying.add(peer);
        let (report, context) = (self.report.clone(), self.server.context);
        self.tasks.spawn(async move {
            let verdict = match &request {
                Request::Ask(ask) => admission::verify(ask, &context),
                Request::Fetch(fetch) => admission::verify(fetch, &context),
                Request::Delta(query) => admission::verify(query, &context),
            };
            tell(
                &report,
                Report::Verified {
                    peer,
                    request,
                    reply,
                    verdict,
                },
            );
        });
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Verified {
                peer,
                request,
                reply,
                verdict,
            } => {
                self.verifying.remove(&peer);
                self.on_verified(peer, request, reply, verdict);
            }
            Report::Answered {
                asker,
                weight,
                charged,
                used,
            } => {
                self.answering -= 1;
                self.pace.end(used.unwrap_or(0), now_ms());
                // Who leaves pays for all that was asked for, or asking and leaving would be free.
                if let Some(used) = used {
                    let unused = charged.saturating_sub(used);
                    self.admission.give_back(&asker, weight, unused);
                }
            }
            Report::Read { asker } => self.reading.remove(&asker),
        }
    }

    fn on_verified(
        &mut self,
        peer: PeerId,
        request: Request,
        reply: Responder,
        verdict: Result<(), Refusal>,
    ) {
        let asker = signer(&request);
        if let Err(refusal) = verdict {
            self.strikes.strike(peer, now_ms());
            return self.server.refuse(&asker, refusal, reply);
        }
        let admitted = match request {
            Request::Ask(ask) => match self.admit(&ask) {
                Ok(ticket) => return self.enqueue(ask, ticket, reply),
                Err(refusal) => Err(refusal),
            },
            Request::Fetch(fetch) => match self.admit(&fetch).and_then(|_| self.may_read(&asker)) {
                Ok(()) => return self.read(fetch, reply),
                Err(refusal) => Err(refusal),
            },
            Request::Delta(query) => self
                .admit(&query)
                .and_then(|_| self.offer(&query))
                .map(Response::Delta),
        };
        match admitted {
            Ok(response) => reply.send(response),
            Err(refusal) => self.server.refuse(&asker, refusal, reply),
        }
    }

    fn admit<T: Charge>(&mut self, request: &Signed<T>) -> Result<Ticket, Refusal> {
        if self.draining {
            return Err(Refusal::RESTARTING);
        }
        let roster = self.roster.borrow();
        let ticket = self.admission.admit(&roster, request, now_ms())?;
        // Before it is answered, or a kill in between would let a replay in.
        match self.watermark.cover(self.admission.latest_issued_ms()) {
            Ok(()) => Ok(ticket),
            Err(error) => {
                tracing::error!(%error, "no request is served while the data directory cannot be written");
                Err(Refusal::RESTARTING)
            }
        }
    }

    fn offer(&self, query: &Signed<DeltaQuery>) -> Result<athanor_spec::DeltaOffer, Refusal> {
        let deltas = self.server.deltas.as_ref();
        let offer = deltas.and_then(|deltas| deltas.find(&query.payload));
        offer.ok_or(Refusal::UnknownBlob)
    }

    fn may_read(&self, asker: &Hotkey) -> Result<(), Refusal> {
        if self.reading.total >= MAX_READS || self.reading.of(asker) >= MAX_READS_PER_HOTKEY {
            return Err(Refusal::Overloaded {
                retry_after_ms: READ_RETRY_MS,
            });
        }
        Ok(())
    }

    fn read(&mut self, fetch: Signed<Fetch>, reply: Responder) {
        let asker = fetch.signer;
        self.reading.add(asker);
        let (report, server) = (self.report.clone(), self.server.clone());
        self.tasks.spawn(async move {
            server.read(fetch.payload, reply).await;
            tell(&report, Report::Read { asker });
        });
    }

    fn enqueue(&mut self, ask: Signed<Ask>, ticket: Ticket, reply: Responder) {
        let Ticket { tokens, weight } = ticket;
        let asker = ask.signer;
        let waiting = Waiting { ask, weight, reply };
        if let Some(displaced) = self.queue.push(asker, weight, tokens, waiting) {
            self.displace(displaced);
        }
    }

    /// Somebody's newest ask has no place: what was taken for it is given back, and its asker learns when to come again.
    fn displace(&mut self, displaced: Displaced<Waiting>) {
        let Displaced {
            asker,
            tokens,
            item,
        } = displaced;
        self.admission.give_back(&asker, item.weight, tokens);
        let own = f64::from(item.weight.thousandths());
        let all = f64::from(self.queue.waiting_weight()).max(own);
        let retry_after_ms = self.pace.hint(u64::from(tokens), own / all);
        let refusal = Refusal::Overloaded { retry_after_ms };
        self.server.refuse(&asker, refusal, item.reply);
    }

    /// Begins as many answers as there is room for.
    fn begin_answers(&mut self) {
        while self.answering < self.limit {
            let Some((asker, charged, waiting)) = self.queue.pop() else {
                return;
            };
            let Waiting { ask, weight, reply } = waiting;
            if !reply.is_open() {
                // Its asker has left, and has had its turn.
                self.server.tally.cancelled();
                continue;
            }
            self.answering += 1;
            self.pace.begin(now_ms());
            let (report, server) = (self.report.clone(), self.server.clone());
            self.tasks.spawn(async move {
                let prompt = ask.payload.prompt.len() as u32;
                let drawn = server.answer(ask, reply).await;
                let used = drawn.map(|drawn| prompt.saturating_add(drawn));
                tell(
                    &report,
                    Report::Answered {
                        asker,
                        weight,
                        charged,
                        used,
                    },
                );
            });
        }
    }
}

/// Reports to the front. There is a place for every task that may run, and when the front has ended nobody listens.
fn tell(front: &mpsc::Sender<Report>, report: Report) {
    let _ = front.try_send(report);
}

fn signer(request: &Request) -> Hotkey {
    match request {
        Request::Ask(ask) => ask.signer,
        Request::Fetch(fetch) => fetch.signer,
        Request::Delta(query) => query.signer,
    }
}

/// How many of something each of many has.
struct Counts<K> {
    total: usize,
    each: HashMap<K, usize>,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self {
            total: 0,
            each: HashMap::new(),
        }
    }
}

impl<K: Eq + std::hash::Hash> Counts<K> {
    fn of(&self, key: &K) -> usize {
        self.each.get(key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: K) {
        self.total += 1;
        *self.each.entry(key).or_default() += 1;
    }

    fn remove(&mut self, key: &K) {
        if let Some(count) = self.each.get_mut(key) {
            self.total -= 1;
            *count -= 1;
            if *count == 0 {
                self.each.remove(key);
            }
        }
    }
}
