//! The service over the engine alone, pair by pair.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use athanor_model::{Checkpoint, Config, Precision, Tensors, checkpoint::Provenance};
use futures::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::stand::{Asker, Miner, Times, quantile};

/// Streams at once.
const LEVELS: [usize; 3] = [1, 8, 32];
/// How long each level of the large model is measured unless told, in seconds; the bundled one a third of that.
const LASTING: u64 = 40;
/// Fewest blocks of a level, however long they take.
const BLOCKS: usize = 4;
/// Resamples of a confidence interval.
const RESAMPLES: usize = 1000;

pub(crate) async fn measure(directory: &Path, bundled: &Checkpoint, lasting: Option<u64>) {
    let lasting = Duration::from_secs(lasting.unwrap_or(LASTING));
    println!(
        "milliseconds by the engine alone; what the service adds, in percent, with 95 % of a bootstrap over blocks of four (alone, served, \
         served, alone)"
    );
    let large = large(&directory.join("large"), bundled);
    for (name, model, lasting) in [
        ("134 million parameters", &large, lasting),
        ("the bundled model", bundled, lasting / 3),
    ] {
        println!("{name}");
        let miner = Miner::start(&directory.join(name), model).await;
        let asker = Asker::new(1, 1).await;
        // Connections, caches and page tables first.
        for _ in 0..3 {
            miner.directly().await;
            asker.through(&miner.address, miner.asks.next()).await;
        }
        println!(
            "{:>7} {:>7}  {:>9} {:>24}  {:>9} {:>24}  {:>9} {:>24}  {:>9} {:>24}",
            "streams",
            "answers",
            "first p50",
            "+",
            "first p99",
            "+",
            "whole p50",
            "+",
            "whole p99",
            "+"
        );
        for streams in LEVELS {
            let blocks = blocks(&miner, &asker, streams, lasting).await;
            print(streams, &blocks);
        }
    }
}

/// What one block of four turns measured, each turn as many streams at once.
struct Block {
    alone: Vec<Times>,
    served: Vec<Times>,
}

async fn blocks(miner: &Miner, asker: &Asker, streams: usize, lasting: Duration) -> Vec<Block> {
    let begin = Instant::now();
    let mut blocks = Vec::new();
    while blocks.len() < BLOCKS || begin.elapsed() < lasting {
        let (mut alone, mut served) = (Vec::new(), Vec::new());
        // Each way first as often as the other, and both in the middle of the block on average: drift meets both alike.
        for turn in 0..4 {
            match turn {
                0 | 3 => alone.extend(join_all((0..streams).map(|_| miner.directly())).await),
                _ => {
                    let asks =
                        (0..streams).map(|_| asker.through(&miner.address, miner.asks.next()));
                    served.extend(join_all(asks).await);
                }
            }
        }
        blocks.push(Block { alone, served });
    }
    blocks
}

fn print(streams: usize, blocks: &[Block]) {
    let answers: usize = blocks.iter().map(|it| it.served.len()).sum();
    print!("{streams:>7} {answers:>7}");
    let all: Vec<&Block> = blocks.iter().collect();
    for of in [|it: &Times| it.first, |it: &Times| it.whole] {
        for share in [0.5, 0.99] {
            let (alone, more) = compare(&all, of, share);
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let mut resampled: Vec<f64> = (0..RESAMPLES)
                .map(|_| {
                    let drawn = all.iter().map(|_| all[random.random_range(0..all.len())]);
                    compare(&drawn.collect::<Vec<_>>(), of, share).1
                })
                .collect();
            resampled.sort_by(f64::total_cmp);
            let at = |share: f64| resampled[((RESAMPLES - 1) as f64 * share) as usize];
            let interval = format!("[{:+.1}, {:+.1}]", at(0.025), at(0.975));
            print!("  {alone:>9.2} {more:>+8.1} {interval:>15}");
        }
    }
    println!();
}

/// A quantile of the engine alone in milliseconds, and what the service adds to it in percent.
fn compare(blocks: &[&Block], of: fn(&Times) -> Duration, share: f64) -> (f64, f64) {
    let times = |way: fn(&Block) -> &[Times]| -> Vec<Duration> {
        blocks.iter().flat_map(|block| way(block)).map(of).collect()
    };
    let alone = quantile(&times(|it| &it.alone), share);
    let served = quantile(&times(|it| &it.served), share);
    (alone, 100.0 * (served / alone - 1.0))
}

/// A Llama's shape with random weights, as the model's own bench measures it, and the tokenizer of another.
fn large(dir: &Path, words: &Checkpoint) -> Checkpoint {
    let config = Config {
        hidden_size: 768,
        intermediate_size: 2048,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        num_key_value_heads: 12,
        head_dim: 64,
        vocab_size: 32_000,
        max_position_embeddings: 1024,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: false,
        bos_token_id: None,
        eos_token_id: Default::default(),
        variant: Default::default(),
    };
    let tensors = Tensors::random(&config, 1);
    let tokenizer =
        std::fs::read(words.dir.join("tokenizer.json")).expect("the tokenizer is there");
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        &tokenizer,
        &Provenance::default(),
        Precision::F32,
    )
    .expect("random weights fit their shape")
}
