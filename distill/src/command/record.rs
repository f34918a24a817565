//! `athanor-distill record`: write down what a teacher says, once, for any number of students.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use athanor_distill::{
    endpoint::{Endpoint, EndpointPlan},
    shard::{Shard, ShardPlan},
    source::Source,
};
use athanor_model::{Checkpoint, DeviceChoice};

use super::{CommandError, open, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the teacher.
    #[arg(
        long,
        required_unless_present = "endpoint",
        conflicts_with = "endpoint"
    )]
    teacher: Option<PathBuf>,
    #[command(flatten)]
    api: ApiArguments,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
    /// Task items.
    #[arg(long, default_value_t = 2240)]
    items: usize,
    /// Passages of real text.
    #[arg(long, default_value_t = 320)]
    passages: usize,
    /// Beginnings of passages that the teacher continues in its own words.
    #[arg(long, default_value_t = 960)]
    continuations: usize,
    /// Temperature of the recorded distributions, at which students are to be trained; of the answers of an API.
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the teacher runs: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
}

/// A teacher behind an OpenAI-compatible API, such as a validator's gateway.
#[derive(clap::Args)]
struct ApiArguments {
    /// The API's base, such as http://127.0.0.1:8000/v1.
    #[arg(long, requires_all = ["api_model", "tokenizer"])]
    endpoint: Option<String>,
    /// The teacher's name there.
    #[arg(long)]
    api_model: Option<String>,
    /// Environment variable that holds the API's key, if it wants one.
    #[arg(long, default_value = "OPENAI_API_KEY")]
    api_key_env: String,
    /// Directory of a checkpoint that writes in the teacher's tokens, as the students do.
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// Requests at a time.
    #[arg(long, default_value_t = 8)]
    parallel: usize,
    /// The longest answer, in tokens.
    #[arg(long, default_value_t = 32)]
    max_new_tokens: usize,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let Arguments {
        items,
        passages,
        continuations,
        temperature,
        seed,
        ..
    } = arguments;
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(CommandError::Flag {
            flag: "temperature",
            value: temperature.to_string(),
            expected: "give a positive number",
        });
    }
    if items + passages + continuations == 0 {
        return Err(CommandError::Flag {
            flag: "items",
            value: items.to_string(),
            expected: "give at least one item, passage or continuation",
        });
    }
    let plan = ShardPlan {
        seed,
        items,
        passages,
        continuations,
    };
    let shard = match (&arguments.teacher, &arguments.api) {
        (
            _,
            api @ ApiArguments {
                endpoint: Some(_), ..
            },
        ) => ask(api, plan, temperature)?,
        (Some(teacher), _) => {
            let (_, source) = open_source(teacher)?;
            let stream = &source.training;
            Shard::record_at(&source, stream, &plan, temperature, arguments.device)?
        }
        (None, _) => unreachable!("the parser wants one of the two"),
    };
    let bytes = shard.to_bytes();
    std::fs::write(&arguments.out, &bytes).map_err(|source| CommandError::Write {
        path: arguments.out.clone(),
        source,
    })?;
    let rows: usize = shard.examples.iter().map(|one| one.rows.len()).sum();
    print(format_args!(
        "wrote {}: {} examples, {rows} positions, {} bytes",
        arguments.out.display(),
        shard.examples.len(),
        bytes.len()
    ))?;
    Ok(())
}

fn open_source(dir: &Path) -> Result<(Checkpoint, Source), CommandError> {
    let checkpoint = open(dir)?;
    let source = Source::open(&checkpoint)?;
    Ok((checkpoint, source))
}

/// Asks a teacher behind an API, with its progress on standard error.
fn ask(api: &ApiArguments, plan: ShardPlan, temperature: f32) -> Result<Shard, CommandError> {
    let ApiArguments {
        endpoint: Some(url),
        api_model: Some(model),
        tokenizer: Some(tokenizer),
        ..
    } = api
    else {
        unreachable!("the parser wants all three")
    };
    let (checkpoint, source) = open_source(tokenizer)?;
    let endpoint = Endpoint {
        url: url.clone(),
        model: model.clone(),
        key: std::env::var(&api.api_key_env).ok(),
        parallel: api.parallel,
    };
    let wanted = plan.items + plan.passages + plan.continuations;
    let shown = io::stderr().is_terminal();
    let on_answer = |answers: usize| {
        if shown && (answers.is_multiple_of(10) || answers == wanted) {
            eprint!("\r{answers} of {wanted} answers");
        }
    };
    let plan = EndpointPlan {
        shard: plan,
        max_new_tokens: api.max_new_tokens,
        temperature,
    };
    let vocab = checkpoint.config.vocab_size;
    let recorded = endpoint.record(&source.training, vocab, &plan, on_answer);
    if shown {
        eprintln!();
    }
    Ok(recorded?)
}
