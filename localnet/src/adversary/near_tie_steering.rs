//! Chooses the runner-up wherever honest noise could have, if the teacher likes it better.
//!
//! Expected: no fault, as every margin is one that honest noise makes, and no more pay than the published budget of bits buys.

use std::sync::Arc;

use athanor_miner::{Behaviour as Conduct, Draft};
use athanor_model::{sampler, scorer::Scorer};
use athanor_spec::{Ask, Finish, Refusal};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// Largest gap between the two best scores at which honest noise flips a token often enough, in units of l / T.
const NEAR: f32 = 0.02;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "near_tie_steering",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: Some("gains of a few thousandths of correctness, which drown in the noise of some hundred asks"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let own = Arc::new(Scorer::load(&scene.trained, scene.device)?);
    let teacher = Arc::new(Scorer::load(&scene.teacher, scene.device)?);
    let end = scene.trained.stop_tokens()?;
    let conduct = Conduct::custom(move |ask, backend| {
        let (own, teacher, end) = (own.clone(), teacher.clone(), end.clone());
        async move {
            let drawn = backend.draft(&ask).await?;
            let is_end = move |token| end.contains(token);
            let steered = tokio::task::spawn_blocking(move || steer(&own, &teacher, &ask, drawn, is_end));
            steered.await.unwrap_or(Err(Refusal::RESTARTING))
        }
    });
    let model = scene.trained.clone();
    scene.serve(&model, conduct).await
}

/// The first near tie that the teacher would have broken the other way is broken so, and what follows is drawn anew.
fn steer(
    own: &Scorer,
    teacher: &Scorer,
    ask: &Ask,
    drawn: Draft,
    is_end: impl Fn(u32) -> bool,
) -> Result<Draft, Refusal> {
    let unreadable = |_| Refusal::OutOfBounds;
    let from = ask.prompt.len();
    let mut text = ask.prompt.clone();
    text.extend_from_slice(&drawn.tokens);
    let mine = own.logits(&text, from).map_err(unreadable)?;
    let theirs = teacher.logits(&text, from).map_err(unreadable)?;
    let chosen = (0..drawn.tokens.len()).zip(0_u32..).find_map(|(at, step)| {
        let likes = |token: u32| theirs.row(at)[token as usize];
        runner_up(mine.row(at), ask, step)
            .filter(|other| likes(*other) > likes(drawn.tokens[at]))
            .map(|other| (at, other))
    });
    let Some((at, other)) = chosen else {
        return Ok(drawn);
    };
    text.truncate(from + at);
    text.push(other);
    let mut finish = Finish::Length;
    while !is_end(text[text.len() - 1]) && text.len() - from < usize::from(ask.max_new_tokens) {
        let rows = own.logits(&text, text.len()).map_err(unreadable)?;
        let step = (text.len() - from) as u32;
        text.push(sampler::sample(rows.row(0), ask.temperature(), ask.seed, step));
    }
    if is_end(text[text.len() - 1]) {
        finish = Finish::Stop;
    }
    Ok(Draft {
        tokens: text.split_off(from),
        finish,
        ..drawn
    })
}

/// The token that lies within [`NEAR`] of the draw, if there is one.
fn runner_up(logits: &[f32], ask: &Ask, step: u32) -> Option<u32> {
    let temperature = ask.temperature();
    if temperature == 0.0 {
        return None;
    }
    let best = sampler::sample(logits, temperature, ask.seed, step);
    let near = |token: &u32| {
        let margin = sampler::observe(logits, *token, temperature, ask.seed, step).margin;
        *token != best && margin <= NEAR
    };
    (0..logits.len() as u32).find(near)
}
