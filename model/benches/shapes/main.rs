//! Tokens per second of two model shapes on the CPU: prefill, decode at batch 1 and 8, and a training step.
//!
//!     cargo bench -p athanor-model --bench shapes -- [--json] [--rounds N] [--only 7M|134M] [--weights f32|bf16|int8]
//!         [--figures prefill,decode1,decode8,train]
//!     cargo bench -p athanor-model --bench shapes -- --write DIR     # the weights, for other programs to load
//!     cargo bench -p athanor-model --bench shapes -- --ceilings      # the machine's own limits alone
//!
//! A loop of its own instead of a harness: `scripts/bench-peers.sh` runs it in turn with other programs.

mod figures;
mod shapes;

use std::{path::PathBuf, process::ExitCode};

use athanor_model::{WeightFormat, ceiling::Ceiling};
use figures::Figure;
use shapes::SHAPES;

/// What the command line asks for.
struct Arguments {
    json: bool,
    rounds: usize,
    only: Option<String>,
    figures: Option<String>,
    format: WeightFormat,
    write: Option<PathBuf>,
    ceilings: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("shapes: {message}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        json: false,
        rounds: 5,
        only: None,
        figures: None,
        format: WeightFormat::F32,
        write: None,
        ceilings: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            // Cargo says so to every bench.
            "--bench" => {}
            "--ceilings" => arguments.ceilings = true,
            "--json" => arguments.json = true,
            "--rounds" => {
                let rounds = value()?.parse();
                arguments.rounds = rounds.map_err(|_| "--rounds needs a number".to_owned())?;
            }
            "--figures" => arguments.figures = Some(value()?),
            "--weights" => {
                let format = value()?.parse::<WeightFormat>();
                arguments.format = format.map_err(|error| error.to_string())?;
            }
            "--only" => arguments.only = Some(value()?),
            "--write" => arguments.write = Some(value()?.into()),
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.ceilings {
        let Ceiling {
            flops,
            bandwidth,
            threads,
        } = Ceiling::measure();
        println!(
            r#"{{"threads":{threads},"gflops":{:.1},"gigabytes_per_second":{:.1}}}"#,
            flops / 1e9,
            bandwidth / 1e9
        );
        return Ok(());
    }
    let chosen = SHAPES.iter().filter(|shape| {
        let only = arguments.only.as_deref();
        only.is_none_or(|only| only == shape.name)
    });
    for shape in chosen {
        if let Some(dir) = &arguments.write {
            shape
                .write(&dir.join(shape.name))
                .map_err(|error| error.to_string())?;
            continue;
        }
        let wanted = |figure: &Figure| {
            let names = arguments.figures.as_deref();
            names.is_none_or(|names| names.split(',').any(|name| name == figure.name()))
        };
        for figure in Figure::ALL.into_iter().filter(wanted) {
            let rates = figure.measure(shape, arguments.format, arguments.rounds.max(1));
            print(arguments, shape.name, figure, rates);
        }
    }
    Ok(())
}

fn print(arguments: &Arguments, shape: &str, figure: Figure, mut rates: Vec<f64>) {
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
    let (name, format) = (figure.name(), arguments.format);
    if arguments.json {
        println!(
            r#"{{"program":"athanor","shape":"{shape}","figure":"{name}","weights":"{format}","tokens_per_second":{median:.1}}}"#
        );
    } else {
        println!("{shape:>5}  {format}  {name:<8}  {median:>9.1} tokens/s  (best {best:.1})");
    }
}
