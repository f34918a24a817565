//! `reference`: what every key of a spec is, in Markdown.

use athanor_spec::params::reference;

/// What stands above the keys.
const HEAD: &str = "\
# The keys of `subnet.toml`

`athanor-subnet reference` writes this page from the table that also checks a spec and reads its changes
(`subnet-spec/src/params`), so it says what holds. Where the shipped values come from, what was tried and what the sweeps
found stands in [spec-defaults.md](spec-defaults.md).

A key belongs to the section above it. \"Shipped\" is what `athanor-subnet new` writes. Every key is required; an unknown,
missing, mistyped or contradictory one is refused with file, line and column. The digest of a spec is blake3 over the SCALE
encoding of its values as compact TOML, so comments and layout do not change it.
";

/// Columns of a line.
const WIDTH: usize = 118;

/// The page, without its last line's end.
pub(crate) fn text() -> String {
    let page = format!("{HEAD}{}", reference());
    let lines: Vec<String> = page.lines().map(folded).collect();
    lines.join("\n").trim_end().to_owned()
}

/// A line that is too long, in several; those after the first of a list's item are set in.
fn folded(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let indent = if line.starts_with("- ") { "  " } else { "" };
    let (mut lines, mut last) = (Vec::new(), String::new());
    for word in line.split(' ') {
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut last, format!("{indent}{word}")));
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines.push(last);
    lines.join("\n")
}
