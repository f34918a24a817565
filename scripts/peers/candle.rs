//! Tokens per second of candle on the CPU: the lines of athanor-model's bench `shapes`, without training.

use std::{path::Path, time::Instant};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};

const PREFILL: usize = 256;
const PROMPT: usize = 16;
const DECODED: usize = 32;
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let (dir, shape) = (Path::new(&words[1]), &words[2]);
    let device = Device::Cpu;
    let file = std::fs::read(dir.join("config.json"))?;
    let config = serde_json::from_slice::<LlamaConfig>(&file)?.into_config(false);
    let weights = std::fs::read(dir.join("model.safetensors"))?;
    let builder = VarBuilder::from_buffered_safetensors(weights, DType::F32, &device)?;
    // Its forward gives the logits of the last position only.
    let model = Llama::load(builder, &config)?;
    let vocab = config.vocab_size;
    let ids = |rows: usize, columns: usize| {
        let row = (0..columns).map(|i| (i * 7919 % vocab) as u32);
        let flat: Vec<u32> = (0..rows).flat_map(|_| row.clone()).collect();
        Tensor::from_vec(flat, (rows, columns), &device)
    };
    let report = |figure: &str, mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        let rate = rates[rates.len() / 2];
        println!(
            r#"{{"program":"candle","shape":"{shape}","figure":"{figure}","weights":"f32","tokens_per_second":{rate:.1}}}"#
        );
    };
    let mut rates = Vec::new();
    for round in 0..=ROUNDS {
        let mut cache = Cache::new(true, DType::F32, &config, &device)?;
        let prompt = ids(1, PREFILL)?;
        let start = Instant::now();
        model.forward(&prompt, 0, &mut cache)?;
        if round > 0 {
            rates.push(PREFILL as f64 / start.elapsed().as_secs_f64());
        }
    }
    report("prefill", rates);
    for batch in [1, 8] {
        let mut rates = Vec::new();
        for round in 0..=ROUNDS {
            let mut cache = Cache::new(true, DType::F32, &config, &device)?;
            model.forward(&ids(batch, PROMPT)?, 0, &mut cache)?;
            let token = ids(batch, 1)?;
            let start = Instant::now();
            for step in 0..DECODED {
                model.forward(&token, PROMPT + step, &mut cache)?;
            }
            if round > 0 {
                rates.push((batch * DECODED) as f64 / start.elapsed().as_secs_f64());
            }
        }
        report(&format!("decode{batch}"), rates);
    }
    Ok(())
}
