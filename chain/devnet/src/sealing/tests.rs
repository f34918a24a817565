//! Whether an extrinsic brings a block when it should.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Sealer;
use crate::{config::Sealing, testing::*};

#[tokio::test]
async fn an_extrinsic_is_sealed_at_once() {
    let chain = chain();
    let sealer = Sealer::start(chain.clone()).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(sealer.run(chain.clone(), Sealing::Instant, stop.clone()));
    let mut blocks = chain.subscribe();
    for number in 1..=2 {
        send(&chain, "Alice", add_stake("Bob//hotkey", 1));
        let block = tokio::time::timeout(Duration::from_secs(30), blocks.recv()).await;
        let block = block.expect("no block in 30 seconds").unwrap();
        assert_eq!(block.header.number, number);
        let sealed = chain.read(|ledger| ledger.block(&block.hash)).unwrap();
        assert_eq!(sealed.body.len(), 2);
    }
    stop.cancel();
    running.await.unwrap();
}
