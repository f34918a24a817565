//! A spec as a file for people, and the reference of all keys.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::{Key, Pay, Range, SubnetSpec, key, keys, reading};

/// Columns of a comment.
const WIDTH: usize = 118;

/// How the file begins.
const HEAD: &str = "What everybody on the subnet agrees on. Every key is required; unknown keys are errors. `athanor-subnet \
                    check` checks this file, `diff` says whose pay a change moves, `publish` sets it on chain.";

/// The spec with every key's meaning, unit, range and reason as comments.
pub(super) fn commented(spec: &SubnetSpec) -> String {
    let table = spec.table();
    let mut text = comment(HEAD);
    for (section, rows) in SubnetSpec::SECTIONS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}[{section}]",
            if text.ends_with("\n\n") { "" } else { "\n" }
        );
        let mut families = String::new();
        for row in *rows {
            let path = format!("{section}.{}", row.name);
            let Some(value) = reading::at(&table, &path) else {
                continue;
            };
            if row.range == Range::Family {
                let about = row.meaning.trim();
                let _ = writeln!(
                    families,
                    "{}{} = {}",
                    comment(about),
                    row.name,
                    inline(value)
                );
            } else if let Some(key) = key(&path) {
                let _ = write!(text, "{}{} = {value}\n\n", told(key), row.name);
            }
        }
        if !families.is_empty() {
            let _ = write!(text, "{}\n{families}\n", of_families());
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What is said of a key above it.
fn told(key: &Key) -> String {
    comment(&key.meaning)
        + &bounds(key.unit, &key.range)
        + &comment(&format!("Why: {}", key.reason))
}

fn bounds(unit: &str, range: &Range) -> String {
    match unit {
        "" => comment(&format!("Range: {range}.")),
        unit => comment(&format!("Unit: {unit}. Range: {range}.")),
    }
}

/// What is said of all families at once.
fn of_families() -> String {
    let each = super::FamilyParams::ROWS.iter().map(|row| {
        comment(&format!(
            "`{}` of a family: {}",
            row.name,
            row.meaning.trim()
        )) + &bounds(row.unit, &row.range)
            + &comment(&format!("Why: {}", row.reason))
    });
    each.collect()
}

/// A table in one line, its keys in the order of the table.
fn inline(value: &Value) -> String {
    let members = super::FamilyParams::ROWS.iter().filter_map(|row| {
        let member = value
            .as_table()
            .and_then(|table: &Table| table.get(row.name))?;
        Some(format!("{} = {member}", row.name))
    });
    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
}

/// A text as comment lines of at most [`WIDTH`] columns.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
}

/// The reference of all keys in Markdown: unit, range, shipped value, reason, and what a change trades.
pub fn reference() -> String {
    let shipped = SubnetSpec::shipped();
    let mut text = String::new();
    let mut section = "";
    for key in keys() {
        let (of, name) = key.path.rsplit_once('.').unwrap_or_default();
        if of != section {
            section = of;
            let _ = write!(text, "\n### `[{of}]`\n");
        }
        let value = shipped.value(&key.path);
        let value = value.map_or_else(String::new, |value| value.to_string());
        let unit = match key.unit {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let trades = match key.pay {
            Pay::Moves { raised, lowered } => {
                format!("- raised, it favours {raised}\n- lowered, it favours {lowered}")
            }
            Pay::Shifts(how) => format!("- {how}"),
            Pay::Nobody(how) => format!("- Moves no pay. {how}"),
        };
        let _ = write!(
            text,
            "\n#### `{name}`\n\n{}\n\n- shipped: `{value}`{unit}; range: {}\n- why: {}\n{trades}\n",
            key.meaning, key.range, key.reason
        );
    }
    text
}
