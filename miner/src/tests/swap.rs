//! Swapping models while answers are being drawn.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_drops_no_request_and_every_answer_names_its_own_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (tiny(directory.path(), 1), tiny(directory.path(), 2));
    let (old_digest, new_digest) = (Digest(old.digest()), Digest(new.digest()));
    let backend = backend(&old, 4, 256);
    let drafts: Vec<_> = (0..100)
        .map(|seed| {
            let backend = backend.clone();
            tokio::spawn(async move { (seed, backend.draft(&ask(seed)).await) })
        })
        .collect();
    let swapping = tokio::task::spawn_blocking({
        let (backend, new) = (backend.clone(), new.clone());
        move || backend.swap(&new)
    });
    swapping.await.unwrap().unwrap();
    assert_eq!(backend.checkpoint(), new_digest);
    let after = backend.draft(&ask(1000)).await.unwrap();
    assert_eq!(after.checkpoint, new_digest);

    let mut by_old = 0;
    let mut answers = Vec::new();
    for draft in drafts {
        let (seed, draft) = draft.await.unwrap();
        let draft = draft.expect("no request is dropped");
        assert!(draft.checkpoint == old_digest || draft.checkpoint == new_digest);
        by_old += usize::from(draft.checkpoint == old_digest);
        answers.push((seed, draft));
    }
    // What each checkpoint answers is determined, so the digest in an answer can be checked.
    let alone_old = super::backend(&old, 1, 0);
    for (seed, draft) in answers.into_iter().step_by(7) {
        let alone = if draft.checkpoint == old_digest {
            &alone_old
        } else {
            &backend
        };
        assert_eq!(alone.draft(&ask(seed)).await.unwrap(), draft, "seed {seed}");
    }
    assert!(by_old <= 100);
}

#[tokio::test]
async fn a_full_engine_refuses_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let backend = backend(&tiny(directory.path(), 3), 1, 1);
    let drafts: Vec<_> = (0..8)
        .map(|seed| {
            let backend = backend.clone();
            async move { backend.draft(&ask(seed)).await }
        })
        .collect();
    let results = futures::future::join_all(drafts).await;
    assert!(results[..2].iter().all(Result::is_ok));
    let refused = results
        .iter()
        .filter(|result| matches!(result, Err(Refusal::Overloaded { retry_after_ms }) if *retry_after_ms > 0));
    assert_eq!(refused.count(), 6);
}
