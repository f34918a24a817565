//! Asking the miner as a validator does: dial, ask, verify, fetch, replay, time.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use athanor_model::{
    Checkpoint, DeviceChoice,
    checkpoint::{MANIFEST, Manifest},
};
use athanor_net::{AskError, Client, Identity, NetConfig, Observed, PeerAddress};
use athanor_node::blocking;
use athanor_scoring::grade::Timing;
use athanor_spec::{
    Ask, Digest, Fetch, Hotkey, Refusal, Signed, SigningContext, SubnetSpec,
    envelope::{Domain, MAX_CLOCK_SKEW_MS},
    telemetry::GradeSummary,
};
use codec::Encode;
use futures::future::join_all;
use sp_core::{Pair as _, sr25519};

use super::{
    super::CliError,
    grade::{self, Asked, Question},
    report::Report,
};

/// Asks that are replayed: some hundreds of tokens, which is enough to tell another model.
const ASKS: usize = 24;
/// Asks in flight at once, as in a validator's load probe.
const AT_ONCE: usize = 8;
/// How long a signature of this command is fresh.
const WINDOW_MS: u64 = 30_000;
/// Files beyond are not fetched: a range of them proves as much.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Whom to ask, and by which rules.
pub(super) struct Probe {
    pub(super) address: PeerAddress,
    pub(super) committed: Digest,
    pub(super) hotkey: sr25519::Pair,
    pub(super) context: SigningContext,
    pub(super) spec: SubnetSpec,
    pub(super) teacher: Checkpoint,
    pub(super) device: DeviceChoice,
    /// Where the miner keeps its checkpoints.
    pub(super) checkpoints: PathBuf,
}

/// Makes every test that needs the network; the grade that a validator would give, if there are answers to give it for.
pub(super) async fn run(
    report: &mut Report,
    probe: &Probe,
) -> Result<Option<GradeSummary>, CliError> {
    // A peer of its own: the miner's own identity could not be dialled by itself.
    let seed = sr25519::Pair::generate().0.public().0;
    let (client, _, net) = athanor_net::start(NetConfig::new(
        Identity::from_seed(seed),
        probe.spec.limits.clone(),
    ))
    .await?;
    let answers = reach(report, probe, &client, questions(probe)?).await;
    let mut grade = None;
    if let Some(answers) = answers {
        status(report, probe, &client).await;
        speed(report, probe, &answers);
        let fetched = fetch(report, probe, &client).await;
        grade = margins(report, probe, answers, fetched).await;
    }
    net.shutdown().await;
    Ok(grade)
}

/// What is asked: as validators ask, by the spec.
fn questions(probe: &Probe) -> Result<Vec<Question>, CliError> {
    let tokenizer = probe.teacher.tokenizer().map_err(CliError::Tokenizer)?;
    grade::questions(&probe.spec, &tokenizer, now_ms(), ASKS)
        .map_err(|error| CliError::Tokenizer(error.into()))
}

fn sign<T: Encode + Domain>(probe: &Probe, payload: T, nonce: u64) -> Signed<T> {
    let nonce = (now_ms() << 20) | nonce;
    Signed::new(
        &probe.hotkey,
        &probe.context,
        payload,
        now_ms(),
        WINDOW_MS,
        nonce,
    )
}

/// A question, and the answer to it if there was one.
type Answers = Vec<(Question, Option<Observed>)>;

/// The questions that were answered.
fn answered(answers: &Answers) -> impl Iterator<Item = (&Ask, &Observed)> {
    answers
        .iter()
        .filter_map(|(question, observed)| Some((&question.ask, observed.as_ref()?)))
}

/// Dials, asks one and then many; the answers, if there are any.
async fn reach(
    report: &mut Report,
    probe: &Probe,
    client: &Client,
    questions: Vec<Question>,
) -> Option<Answers> {
    let deadline = Duration::from_millis(probe.spec.round.deadline_ms.into());
    let at = probe.address.addr;
    let ask = |n: usize, question: Question| async move {
        let signed = sign(probe, question.ask.clone(), n as u64);
        let observed = client.ask(&probe.address, signed, deadline).await;
        (question, observed)
    };
    let mut questions = questions.into_iter().enumerate();
    let (n, first) = questions.next()?;
    let first = match ask(n, first).await {
        (question, Ok(observed)) => (question, Some(observed)),
        (_, Err(error)) => {
            not_reached(report, &error, at);
            return None;
        }
    };
    report.pass(
        "reachability",
        format!("{at} answers, dialled by a peer of its own"),
    );
    report.pass(
        "peer binding",
        format!("it proved the key on chain, {}", probe.address.peer_key),
    );
    let mut answers = vec![first];
    let mut failed = Vec::new();
    let rest: Vec<(usize, Question)> = questions.collect();
    for some in rest.chunks(AT_ONCE) {
        for (question, answer) in join_all(some.iter().map(|(n, it)| ask(*n, it.clone()))).await {
            let answer = answer.map_err(|error| failed.push(error)).ok();
            answers.push((question, answer));
        }
    }
    let detail = match failed.first() {
        None => format!("{ASKS} of {ASKS} asks, {AT_ONCE} at once"),
        Some(error) => format!("{} of {ASKS} asks failed: {error}", failed.len()),
    };
    report.judge(
        "answers",
        failed.is_empty(),
        detail,
        "raise --engine.slots or --allowance.rate, or lower --distill.duty",
    );
    signatures(report, probe, &answers);
    Some(answers)
}

fn not_reached(report: &mut Report, error: &AskError, at: std::net::SocketAddr) {
    match error {
        AskError::WrongPeer { .. } => report.fail(
            "peer binding",
            error.to_string(),
            "another process listens there, or the data directory was exchanged: restore its peer.key, or start the miner \
             again to commit to the new key",
        ),
        AskError::Refused(Refusal::NotAllowed) => report.fail(
            "reachability",
            format!("{at} does not serve its own hotkey"),
            "it runs an older version: start it again with this one",
        ),
        error => report.fail(
            "reachability",
            error.to_string(),
            "open the port, or give the address that others reach with --axon.external_ip",
        ),
    }
}

/// What makes an answer one that is graded at all.
fn signatures(report: &mut Report, probe: &Probe, answers: &Answers) {
    let hotkey = Hotkey(probe.hotkey.public().0);
    let all = answered(answers).count();
    let wrong = answered(answers).filter(|(ask, observed)| {
        let answer = &observed.answer;
        answer.verify(&probe.context, now_ms()).is_err()
            || answer.signer != hotkey
            || answer.payload.request != ask.hash()
    });
    let wrong = wrong.count();
    report.judge(
        "signature",
        wrong == 0,
        format!(
            "{} of {all} answers are signed by the hotkey for their asks",
            all - wrong
        ),
        "compare this machine's clock with an NTP server's",
    );
    let other = answered(answers).find(|(_, it)| it.answer.payload.checkpoint != probe.committed);
    match other {
        None => report.pass("digest", "every answer names the committed checkpoint".into()),
        Some((_, it)) => report.fail(
            "digest",
            format!(
                "an answer is from {}, committed is {}",
                it.answer.payload.checkpoint, probe.committed
            ),
            "run `check` again after the swap at the end of the epoch; if it stays so, start the miner again",
        ),
    }
}

/// What it says of itself: the spec, the checkpoint, the clock.
async fn status(report: &mut Report, probe: &Probe, client: &Client) {
    let deadline = Duration::from_millis(probe.spec.round.deadline_ms.into());
    let said = match client.status(&probe.address, deadline).await {
        Ok(said) => said,
        Err(error) => {
            let next = "look at the miner's log";
            return report.fail("status", error.to_string(), next);
        }
    };
    let skew = said.time_ms.abs_diff(now_ms());
    let same = said.spec == Some(probe.spec.digest());
    report.judge(
        "status",
        same && skew <= MAX_CLOCK_SKEW_MS,
        format!(
            "{} spec, room for {} more asks, clock off by {skew} ms",
            if same { "the same" } else { "another" },
            said.free_slots
        ),
        "give both the subnet's spec with --subnet.spec, and set the clocks by NTP",
    );
}

/// By this machine's socket: a validator is farther away.
fn speed(report: &mut Report, probe: &Probe, answers: &Answers) {
    let mut first: Vec<Duration> = answered(answers).map(|(_, it)| it.first_token).collect();
    let mut whole: Vec<Duration> = answered(answers).map(|(_, it)| it.elapsed).collect();
    first.sort_unstable();
    whole.sort_unstable();
    let grades = answered(answers)
        .map(|(_, it)| athanor_scoring::grade::service(timing(it), &probe.spec.service));
    let service = grades.sum::<f64>() / whole.len().max(1) as f64;
    let ms = |sorted: &[Duration], share: f64| {
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
        sorted[at].as_secs_f64() * 1000.0
    };
    report.judge(
        "speed",
        service >= 0.999,
        format!(
            "first token {:.1} ms (99 %: {:.1}), answer {:.1} ms (99 %: {:.1}), service {service:.3} of 1, without the way",
            ms(&first, 0.5),
            ms(&first, 0.99),
            ms(&whole, 0.5),
            ms(&whole, 0.99),
        ),
        "serve on a faster device, or lower --distill.duty",
    );
}

/// Fetches what was committed, as far as it is small; where it lies, if that is all of it.
async fn fetch(report: &mut Report, probe: &Probe, client: &Client) -> Option<tempfile::TempDir> {
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => {
            report.fail(
                "artifact",
                error.to_string(),
                "make room in the temporary directory",
            );
            return None;
        }
    };
    let began = std::time::Instant::now();
    match fetch_into(probe, client, directory.path()).await {
        Ok((bytes, left)) => {
            let rate = bytes as f64 / 1e6 / began.elapsed().as_secs_f64().max(1e-6);
            let left_out = match left {
                0 => String::new(),
                left => format!(", {left} files too large to fetch for a check"),
            };
            report.pass(
                "artifact",
                format!("{bytes} bytes fetched and verified, {rate:.1} MB/s{left_out}"),
            );
            (left == 0).then_some(directory)
        }
        Err(error) => {
            report.fail(
                "artifact",
                error,
                "look at the miner's log; the checkpoint must lie undamaged in its data directory",
            );
            None
        }
    }
}

/// Bytes fetched and files left out.
async fn fetch_into(probe: &Probe, client: &Client, to: &Path) -> Result<(u64, usize), String> {
    let mut nonce = 1 << 16;
    let mut bytes = 0;
    let limits = &probe.spec.limits;
    let mut get = async |blob: Digest, bound: u64, name: &str| {
        let sign = |fetch: Fetch| {
            nonce += 1;
            sign(probe, fetch, nonce)
        };
        client
            .fetch(&probe.address, blob, bound, sign, &to.join(name))
            .await
            .map_err(|error| format!("{name}: {error}"))
    };
    bytes += get(probe.committed, limits.max_manifest_bytes.into(), MANIFEST).await?;
    let text = std::fs::read(to.join(MANIFEST)).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(&text).map_err(|error| error.to_string())?;
    let mut left = 0;
    for file in &manifest.files {
        match file.bytes <= MAX_FILE_BYTES {
            true => bytes += get(Digest(file.digest()), file.bytes, &file.name).await?,
            false => left += 1,
        }
    }
    Ok((bytes, left))
}

/// Replays the answers in f32, from what was fetched or from the miner's own copy, and grades them.
async fn margins(
    report: &mut Report,
    probe: &Probe,
    answers: Answers,
    fetched: Option<tempfile::TempDir>,
) -> Option<GradeSummary> {
    let own = probe.checkpoints.join(probe.committed.to_string());
    let dir = fetched.as_ref().map_or(own, |it| it.path().to_owned());
    let committed = probe.committed;
    let asked: Vec<Asked> = answers
        .into_iter()
        .map(|(question, observed)| {
            let answer = observed.map(|it| {
                let timing = timing(&it);
                (it.answer.payload, timing)
            });
            Asked {
                question,
                answer: answer.filter(|(answer, _)| answer.checkpoint == committed),
            }
        })
        .collect();
    let (device, spec, teacher) = (probe.device, probe.spec.clone(), probe.teacher.clone());
    let replayed = blocking(move || {
        let checkpoint = Checkpoint::open(&dir)?;
        grade::replay(&checkpoint, &teacher, device, &spec, &asked)
    });
    let verdict = match replayed.await {
        Ok(verdict) => verdict,
        Err(error) => {
            let next = "see what is wrong with the checkpoint first";
            report.fail("audit", error.to_string(), next);
            return None;
        }
    };
    report.judge(
        "audit",
        verdict.is_good(),
        format!(
            "{} of {} tokens are not the replay's draw (the shipped null has 0.35 %), largest margin {:.3}, evidence \
             against it {:.2e} where {:.0e} condemns",
            verdict.others,
            verdict.tokens,
            verdict.margin,
            verdict.evidence,
            1.0 / probe.spec.audit.alpha,
        ),
        "serve with --weights f32 and --device cpu to find out which of them differs",
    );
    Some(verdict.grade)
}

/// How long an answer took, by this machine's socket.
fn timing(it: &Observed) -> Timing {
    Timing {
        first_token_ms: millis(it.first_token),
        elapsed_ms: millis(it.elapsed),
        tokens: u32::try_from(it.answer.payload.tokens.len()).unwrap_or(u32::MAX),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
