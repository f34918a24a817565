//! What the network service costs over the engine alone, and what a flood costs those who are served.
//!
//! `cargo bench -p athanor-miner --bench service [-- --figures overhead,flood --seconds 40]`. The first asks the same engine for answers of the
//! same kind in turn, directly and through the service over loopback, with 1, 8 and 32 streams at once; both ways by this process's
//! clock, so that the second one has signatures, transport and the client's own work in it: once a model of 134 million random
//! weights, as people serve on a CPU, once the bundled one, which draws a token in a tenth of a millisecond and leaves nothing for the
//! service to hide behind. The second lets a peer send what is refused at several rates, alone and beside eight streams that are served.

mod flood;
mod overhead;
mod stand;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run());
}

async fn run() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let bundled = athanor_distill::bundled::write_teacher(&directory.path().join("model"))
        .expect("the bundled model unpacks");
    let vocabulary = bundled.config.vocab_size as u32;
    match arguments.first().map(String::as_str) {
        // The other processes of a flood.
        Some("serve") => return flood::serve(&bundled, &directory.path().join("miner")).await,
        Some("pour") => return flood::pour(&arguments[1..], vocabulary).await,
        _ => {}
    }
    let option = |name: &str| arguments.iter().skip_while(|it| *it != name).nth(1);
    let figures = option("--figures");
    let wanted = |name: &str| figures.is_none_or(|figures| figures.split(',').any(|it| it == name));
    println!(
        "{} tokens of prompt, {} of answer, {} slots",
        stand::PROMPT,
        stand::NEW,
        stand::SLOTS
    );
    if wanted("overhead") {
        let lasting = option("--seconds").map(|it| it.parse().expect("--seconds is a number"));
        overhead::measure(directory.path(), &bundled, lasting).await;
    }
    if wanted("flood") {
        flood::measure(vocabulary).await;
    }
}
