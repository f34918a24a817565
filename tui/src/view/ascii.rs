//! A frame without anything but ASCII, for terminals that know no more.

use ratatui::buffer::Buffer;

/// Replaces every character that is not ASCII by one that comes near to it.
pub(super) fn reduce(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let near = cell.symbol().chars().next().map_or(' ', near);
            cell.set_char(near);
        }
    }
}

fn near(character: char) -> char {
    match character {
        '▁' => '_',
        '▂' => '.',
        '▃' | '─' | '━' => '-',
        '▄' => '=',
        '▅' | '▒' => '+',
        '▆' | '▓' => '*',
        '▇' => '%',
        '█' | '▉' | '▊' | '▋' | '▌' => '#',
        '▏' | '▎' | '▍' | '│' => '|',
        '░' | '·' => '.',
        '●' => 'o',
        '○' => 'O',
        '×' => 'x',
        '…' => '~',
        '›' | '→' => '>',
        '←' => '<',
        '↑' => '^',
        '↓' => 'v',
        'τ' => 'T',
        '≥' => '>',
        '±' => '~',
        _ => '?',
    }
}
