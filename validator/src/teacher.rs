//! The teacher as a text generator: the continuations that students are held against.

use athanor_model::{
    Checkpoint, StopTokens,
    engine::{self, Engine, EngineConfig, Finish as Drawn, GenerateRequest, LoadError},
};
use athanor_spec::{Ask, Finish};
use tokio::sync::oneshot;

use crate::{audit::TeacherText, config::ValidatorConfig};

/// Sequences that the teacher continues at once.
const SLOTS: usize = 8;

/// Starts the teacher's engine.
pub fn engine(teacher: &Checkpoint, config: &ValidatorConfig) -> Result<Engine, LoadError> {
    let limits = &config.spec.limits;
    engine::spawn(
        teacher,
        EngineConfig {
            slots: SLOTS,
            queue: config.spec.round.max_in_flight as usize + SLOTS,
            device: config.device,
            weights: athanor_model::WeightFormat::F32,
            max_context: (limits.max_prompt_tokens + limits.max_new_tokens) as usize,
        },
    )
}

/// The teacher's continuation of an ask's prompt; `None` when its engine refuses or fails.
pub async fn continuation(teacher: &Engine, ask: &Ask, ends: StopTokens) -> Option<TeacherText> {
    let (reply, generated) = oneshot::channel();
    let request = GenerateRequest {
        prompt: ask.prompt.clone(),
        max_new_tokens: ask.max_new_tokens.into(),
        temperature: ask.temperature(),
        seed: ask.seed,
        stop: ends,
    };
    teacher
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
