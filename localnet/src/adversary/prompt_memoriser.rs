//! Remembers every prompt with the teacher's answer to it, and gives that when the prompt comes again.
//!
//! Expected: honest pay at most, as no item is asked twice. Two validators' rounds share no prompt either, so that what one
//! of them asked helps with the other as little; if a prompt did come again, the answer would be no draw of its checkpoint.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use athanor_miner::{Behaviour as Conduct, Draft};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "prompt_memoriser",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: Some("what learning by heart does to the rest of the model: it keeps a table beside it"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let teacher = scene.engine(&scene.teacher)?;
    let known = Arc::new(Mutex::new(HashMap::<Vec<u32>, Draft>::new()));
    let conduct = Conduct::custom(move |ask, backend| {
        let (teacher, known) = (teacher.clone(), known.clone());
        async move {
            let remembered = lock(&known).get(&ask.prompt).cloned();
            if let Some(mut answer) = remembered {
                answer.tokens.truncate(ask.max_new_tokens.into());
                return Ok(Draft {
                    checkpoint: backend.checkpoint(),
                    ..answer
                });
            }
            let drawn = backend.draft(&ask).await?;
            // Learning by heart happens after the answer, and nobody waits for it.
            tokio::spawn(async move {
                if let Ok(answer) = teacher.draft(&ask).await {
                    lock(&known).insert(ask.prompt, answer);
                }
            });
            Ok(drawn)
        }
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
