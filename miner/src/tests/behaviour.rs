//! The red team's seam.

use super::*;

async fn draft(behaviour: &Behaviour, ask: Ask, backend: &Backend) -> Result<Draft, Refusal> {
    match behaviour {
        Behaviour::Custom(draft) => draft(ask, backend.clone()).await,
        Behaviour::Honest => panic!("an honest miner has no draft to rewrite"),
    }
}

#[tokio::test]
async fn a_custom_behaviour_may_change_the_ask_the_engine_and_the_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let own = backend(&tiny(directory.path(), 5), 2, 4);
    let other = backend(&tiny(directory.path(), 6), 2, 4);

    let ignores_seed = Behaviour::custom(|ask, backend: Backend| async move {
        backend.draft(&Ask { seed: 0, ..ask }).await
    });
    let expected = own.draft(&ask(0)).await.unwrap();
    assert_eq!(draft(&ignores_seed, ask(9), &own).await.unwrap(), expected);

    let relays = Behaviour::custom({
        let other = other.clone();
        move |ask, backend: Backend| {
            let other = other.clone();
            async move {
                let draft = other.draft(&ask).await?;
                Ok(Draft {
                    checkpoint: backend.checkpoint(),
                    ..draft
                })
            }
        }
    });
    let relayed = draft(&relays, ask(2), &own).await.unwrap();
    assert_eq!(relayed.checkpoint, own.checkpoint());
    assert_eq!(relayed.tokens, other.draft(&ask(2)).await.unwrap().tokens);
}
