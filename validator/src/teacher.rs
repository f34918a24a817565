//! The teacher as a text generator: the continuations that students are held against.
//!
//! A prompt that several miners share is continued once: whoever needs its continuation waits for the same one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use athanor_model::{
    Checkpoint, DeviceChoice, StopTokens,
    engine::{self, Engine, EngineConfig, Finish as Drawn, GenerateRequest, LoadError},
};
use athanor_spec::{Ask, Digest, Finish, SubnetSpec};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::sync::{Semaphore, oneshot};

use crate::{audit::TeacherText, plan::PlannedAsk};

/// Sequences that the teacher continues at once.
const SLOTS: usize = 8;
/// Continuations of shared prompts that are remembered: those of a round or two.
const REMEMBERED: usize = 1024;

type Continuation = Shared<BoxFuture<'static, Option<TeacherText>>>;

/// A handle on the teacher's engine and on what it has said about shared prompts. Clones share both.
#[derive(Clone)]
pub struct Teacher {
    engine: Engine,
    ends: StopTokens,
    /// As many as the engine takes; the rest wait for their turn.
    turns: Arc<Semaphore>,
    remembered: Arc<Mutex<Remembered>>,
}

#[derive(Default)]
struct Remembered {
    continuations: HashMap<Digest, Continuation>,
    order: VecDeque<Digest>,
}

impl Teacher {
    /// Starts the teacher's engine. `ends` are the tokens that end an answer.
    pub fn start(
        teacher: &Checkpoint,
        ends: StopTokens,
        spec: &SubnetSpec,
        device: DeviceChoice,
    ) -> Result<Self, LoadError> {
        let limits = &spec.limits;
        let queue = spec.round.max_in_flight as usize + SLOTS;
        let engine = engine::spawn(
            teacher,
            EngineConfig {
                slots: SLOTS,
                queue,
                device,
                weights: athanor_model::WeightFormat::F32,
                max_context: (limits.max_prompt_tokens + limits.max_new_tokens) as usize,
            },
        )?;
        Ok(Self {
            engine,
            ends,
            turns: Arc::new(Semaphore::new(queue)),
            remembered: Arc::default(),
        })
    }

    /// The teacher's continuation of an ask's prompt; `None` when its engine refuses or fails.
    pub async fn continuation(&self, planned: &PlannedAsk) -> Option<TeacherText> {
        let ask = reference(planned);
        if planned.shared.is_none() {
            return self.say(ask).await;
        }
        let key = ask.hash();
        let continuation = self
            .remembered()
            .get(key, || self.clone().continue_prompt(ask).boxed().shared());
        let text = continuation.clone().await;
        if text.is_none() {
            // An engine that was full has room later.
            self.remembered().forget(&key, &continuation);
        }
        text
    }

    /// What the teacher itself answers to an ask; `None` when its engine refuses or fails.
    pub async fn say(&self, ask: Ask) -> Option<TeacherText> {
        self.clone().continue_prompt(ask).await
    }

    async fn continue_prompt(self, ask: Ask) -> Option<TeacherText> {
        let _turn = self.turns.acquire().await.ok()?;
        let (reply, generated) = oneshot::channel();
        let request = GenerateRequest {
            temperature: ask.temperature(),
            prompt: ask.prompt,
            max_new_tokens: ask.max_new_tokens.into(),
            seed: ask.seed,
            stop: self.ends,
        };
        self.engine
            .generate(request, move |generation| drop(reply.send(generation)))
            .ok()?;
        let generation = generated.await.ok()?.ok()?;
        let finish = match generation.finish {
            Drawn::Stop => Finish::Stop,
            Drawn::Length => Finish::Length,
        };
        Some(TeacherText {
            tokens: generation.tokens,
            finish,
        })
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn get(&mut self, key: Digest, start: impl FnOnce() -> Continuation) -> Continuation {
        if let Some(known) = self.continuations.get(&key) {
            return known.clone();
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.continuations.remove(&oldest);
        }
        let continuation = start();
        self.order.push_back(key);
        self.continuations.insert(key, continuation.clone());
        continuation
    }

    fn forget(&mut self, key: &Digest, failed: &Continuation) {
        // Somebody else may have begun it anew since.
        if self
            .continuations
            .get(key)
            .is_some_and(|known| known.ptr_eq(failed))
        {
            self.continuations.remove(key);
            self.order.retain(|known| known != key);
        }
    }
}

/// The teacher's own continuation of the prompt: at temperature 1, with draws that the miner cannot know.
pub(crate) fn reference(planned: &PlannedAsk) -> Ask {
    Ask {
        temperature_milli: 1000,
        seed: planned.reference_seed,
        ..planned.ask.clone()
    }
}

#[cfg(test)]
mod tests {
    use athanor_spec::{Hotkey, Uid};

    use super::*;
    use crate::plan::{PlannedMiner, plan};

    #[tokio::test]
    async fn a_shared_prompt_is_continued_once_for_all() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../distill/teacher");
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let tokenizer = checkpoint.tokenizer().unwrap();
        let spec = SubnetSpec::local();
        let ends = checkpoint.stop_tokens().unwrap();
        let teacher = Teacher::start(&checkpoint, ends, &spec, DeviceChoice::Cpu).unwrap();
        let miners = [1, 2].map(|key| PlannedMiner {
            hotkey: Hotkey([key; 32]),
            uid: Uid(key.into()),
            asks: spec.round.asks_per_miner,
        });
        let asks = plan(&[4; 32], &miners, &spec, 5, |text| {
            tokenizer.encode(text).unwrap()
        });
        let same: Vec<_> = asks.iter().filter(|ask| ask.shared == Some(0)).collect();
        let own = asks.iter().find(|ask| ask.shared.is_none()).unwrap();
        let (left, right) =
            tokio::join!(teacher.continuation(same[0]), teacher.continuation(same[1]));
        assert!(left.is_some() && left == right);
        assert!(teacher.continuation(own).await.is_some());
        assert_eq!(teacher.remembered().continuations.len(), 1);
    }
}
