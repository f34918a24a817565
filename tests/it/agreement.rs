//! Two independent validators rank honest miners alike.

use athanor_localnet::{agreement, settings::Settings};
use clap::Parser as _;
use tokio_util::sync::CancellationToken;

/// The short form; `athanor-localnet --agreement` is the long one, over twenty rounds.
const ROUNDS: &str = "3";
/// What three rounds of a loaded machine must reach: at most three of the 28 pairs of miners may be ranked otherwise.
const ENOUGH: f64 = 0.78;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_validators_with_their_own_seeds_rank_honest_miners_alike() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let settings = Settings::try_parse_from([
        "athanor-localnet",
        "--agreement",
        "--port",
        "0",
        "--epochs",
        ROUNDS,
        "--seed",
        "5",
    ])
    .unwrap();
    let outcome = agreement::measure(&settings, &CancellationToken::new(), |_, _| ())
        .await
        .unwrap();
    assert_eq!(outcome.rounds, 3);
    assert_eq!(outcome.miners.len(), 8);
    // More noise is a worse student, as far as the gaps are wide: the first of the list beats the last.
    let noise: Vec<f32> = outcome.miners.iter().map(|miner| miner.noise).collect();
    assert!(noise[0] < noise[7], "{outcome}");
    assert!(outcome.tau >= ENOUGH, "{outcome}");
}
