//! Charts made of characters: series, bars, intervals and heat, each a text that fits its columns.

/// From empty to full.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Parts of a cell from the left.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// From nothing to all.
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// A series between its own least and largest value, or within `bounds`.
pub(super) fn spark(points: &[f64], bounds: Option<(f64, f64)>) -> String {
    let (low, high) = bounds.unwrap_or_else(|| {
        points
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
                (low.min(*point), high.max(*point))
            })
    });
    let step = |point: &f64| {
        let part = match high > low {
            true => ((point - low) / (high - low)).clamp(0.0, 1.0),
            // Nothing at all lies at the bottom, anything else that never changed in the middle.
            false if high == 0.0 => 0.0,
            false => 0.5,
        };
        STEPS[(part * (STEPS.len() - 1) as f64).round() as usize]
    };
    points.iter().map(step).collect()
}

/// A bar for a share in [0, 1], to an eighth of a column; padded to `width`.
pub(super) fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(PARTS[eighths % 8 - 1]);
    }
    let drawn = text.chars().count();
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(drawn)));
    text
}

/// How much of something has passed, with what is left shown too.
pub(super) fn progress(share: f64, width: usize) -> String {
    let filled = (share.clamp(0.0, 1.0) * width as f64).floor() as usize;
    (0..width)
        .map(|at| if at < filled { '█' } else { '░' })
        .collect()
}

/// An interval in [0, 1] with its middle.
pub(super) fn interval(low: f64, value: f64, high: f64, width: usize) -> String {
    let at = |part: f64| (part.clamp(0.0, 1.0) * width.saturating_sub(1) as f64).round() as usize;
    let (low, value, high) = (at(low), at(value), at(high));
    let cell = |column| match column {
        _ if column == value => '●',
        _ if (low..=high).contains(&column) => '━',
        _ => '·',
    };
    (0..width).map(cell).collect()
}

/// A share in [0, 1] as a shade; nothing at all is a dot.
pub(super) fn heat(share: f64) -> char {
    match share > 0.0 {
        true => SHADES[1 + ((share.min(1.0) * 4.0).ceil() as usize - 1).min(3)],
        false => SHADES[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_fit_and_reach_both_ends() {
        assert_eq!(spark(&[0.0, 1.0, 2.0], None), "▁▅█");
        assert_eq!(spark(&[1.0, 1.0], None), "▅▅");
        assert_eq!(spark(&[0.0, 0.0], None), "▁▁");
        assert_eq!(spark(&[0.5], Some((0.0, 1.0))), "▅");
        assert_eq!(spark(&[], None), "");
        for share in [-1.0, 0.0, 0.1, 0.5, 0.99, 1.0, 7.0] {
            assert_eq!(bar(share, 9).chars().count(), 9, "{share}");
            assert_eq!(progress(share, 9).chars().count(), 9);
        }
        assert_eq!(bar(1.0, 3), "███");
        assert_eq!(interval(0.2, 0.5, 0.8, 11), "··━━━●━━━··");
        assert_eq!(interval(0.0, 0.0, 1.0, 1), "●");
        let shades: String = [0.0, 0.01, 0.3, 0.6, 1.0].map(heat).into_iter().collect();
        assert_eq!(shades, "·░▒▓█");
    }
}
