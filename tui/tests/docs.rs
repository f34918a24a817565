//! The frames in docs/tui.md are what the program draws from the recording that stands in the repository.
//!
//! A frame stands in a fenced block after a comment that says what it shows, in the program's own flags. With
//! `UPDATE_FRAMES=1` in the environment (`scripts/tui-frames.sh`) they are written anew instead of compared.

use std::{fmt::Write as _, fs, path::PathBuf};

use athanor_spec::Uid;
use athanor_tui::{Look, Screen, View, source::recording::Recording, still};

/// How the comment over a frame begins.
const MARK: &str = "<!-- athanor-tui --once ";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The frame that the flags ask for.
fn frame(flags: &str, recording: &Recording) -> String {
    let words: Vec<&str> = flags.split_whitespace().collect();
    let value = |flag: &str| {
        let at = words.iter().position(|word| *word == flag)?;
        words.get(at + 1).copied()
    };
    let name = value("--screen").unwrap_or("overview");
    let view = View::ALL
        .into_iter()
        .find(|view| view.name().to_lowercase() == name);
    let state = recording.state_at(recording.length());
    let selected = value("--select").map(|uid| {
        let uid = Uid(uid.parse().expect("a UID"));
        let chain = state.chain.as_ref().expect("the recording has pictures");
        chain.metagraph.by_uid(uid).expect("a neuron").hotkey
    });
    let mut screen = Screen::at(view.unwrap_or_default());
    screen.selected = selected;
    screen.help = name == "help";
    let (width, height) = value("--size")
        .and_then(|size| size.split_once('x'))
        .expect("a size");
    let size = (
        width.parse().expect("columns"),
        height.parse().expect("rows"),
    );
    still::frame(&state, &screen, size, &Look::default())
}

/// The page with every frame drawn anew.
fn drawn(page: &str, recording: &Recording) -> String {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        writeln!(text, "{line}").expect("writing to a string succeeds");
        let Some(flags) = line
            .strip_prefix(MARK)
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let opening = lines.next();
        assert_eq!(opening, Some("```text"), "a frame's block follows {line}");
        for old in lines.by_ref() {
            if old == "```" {
                break;
            }
        }
        write!(text, "```text\n{}```\n", frame(flags, recording))
            .expect("writing to a string succeeds");
    }
    text
}

#[test]
fn the_frames_of_the_page_are_what_the_program_draws() {
    let recording = Recording::read(&root().join("recordings/localnet.jsonl.gz")).unwrap();
    let path = root().join("../docs/tui.md");
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.matches(MARK).count() >= 8, "every screen is shown");
    let drawn = drawn(&page, &recording);
    if std::env::var_os("UPDATE_FRAMES").is_some() {
        return fs::write(&path, drawn).unwrap();
    }
    for (at, (old, new)) in page.lines().zip(drawn.lines()).enumerate() {
        assert_eq!(
            old,
            new,
            "line {} of docs/tui.md: run scripts/tui-frames.sh",
            at + 1
        );
    }
    assert_eq!(page, drawn, "run scripts/tui-frames.sh");
}
