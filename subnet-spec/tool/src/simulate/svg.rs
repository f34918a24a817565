//! Draw charts of lines as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 230.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
/// Lines on each axis.
const TICKS: u32 = 5;
/// Colours that people with the common kinds of colour blindness tell apart (Okabe and Ito), and dashes beyond them.
const COLOURS: [&str; 8] = [
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999",
];

/// A line.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// Lower and upper bound at each point, drawn as bars; empty for none.
    pub(super) bounds: Vec<(f64, f64)>,
}

/// A chart of lines.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) series: Vec<Series>,
}

/// Where values are drawn.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let along = (x - self.x.0) / (self.x.1 - self.x.0);
        let up = ((y - self.y.0) / (self.y.1 - self.y.0)).clamp(0.0, 1.0);
        (
            LEFT + along * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )
    }
}

impl Chart {
    /// The chart; values that are no numbers are left out.
    pub(super) fn svg(&self) -> String {
        let points = || {
            let all = self.series.iter().flat_map(|series| &series.points);
            all.filter(|(x, y)| x.is_finite() && y.is_finite())
        };
        let frame = Frame {
            x: range(points().map(|(x, _)| *x), false),
            y: range(points().map(|(_, y)| *y), true),
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        text(&mut svg, (LEFT, 26.0), "start", 15, &self.title);
        self.axes(&mut svg, &frame);
        for (index, series) in self.series.iter().enumerate() {
            line(&mut svg, &frame, series, index);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn axes(&self, svg: &mut String, frame: &Frame) {
        for tick in 0..=TICKS {
            let part = f64::from(tick) / f64::from(TICKS);
            let x = frame.x.0 + part * (frame.x.1 - frame.x.0);
            let y = frame.y.0 + part * (frame.y.1 - frame.y.0);
            let (left, height) = frame.at(frame.x.0, y);
            let (right, _) = frame.at(frame.x.1, y);
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(
                svg,
                "<line x1=\"{left:.1}\" y1=\"{height:.1}\" x2=\"{right:.1}\" y2=\"{height:.1}\" stroke=\"#ddd\"/>"
            );
            text(svg, (left - 8.0, height + 4.0), "end", 12, &number(y));
            let (along, bottom) = frame.at(x, frame.y.0);
            text(svg, (along, bottom + 18.0), "middle", 12, &number(x));
        }
        let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
        text(svg, (middle, HEIGHT - 14.0), "middle", 13, &self.x);
        let _ = writeln!(
            svg,
            "<text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\" font-size=\"13\">{}</text>",
            (TOP + HEIGHT - BOTTOM) / 2.0,
            escaped(&self.y)
        );
    }
}

fn line(svg: &mut String, frame: &Frame, series: &Series, index: usize) {
    let colour = COLOURS[index % COLOURS.len()];
    let dash = match index / COLOURS.len() {
        0 => "",
        1 => " stroke-dasharray=\"6 3\"",
        _ => " stroke-dasharray=\"2 3\"",
    };
    let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
    let mut path = String::new();
    for (x, y) in series.points.iter().filter(finite) {
        let (x, y) = frame.at(*x, *y);
        let _ = write!(path, "{x:.1},{y:.1} ");
    }
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"{dash}/>",
        path.trim_end()
    );
    for ((x, _), (low, high)) in series.points.iter().zip(&series.bounds) {
        if low.is_finite() && high.is_finite() {
            let ((x, low), (_, high)) = (frame.at(*x, *low), frame.at(*x, *high));
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{low:.1}\" x2=\"{x:.1}\" y2=\"{high:.1}\" stroke=\"{colour}\"/>"
            );
        }
    }
    let y = TOP + 10.0 + 18.0 * index as f64;
    let x = WIDTH - RIGHT + 16.0;
    let _ = writeln!(
        svg,
        "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"3\"{dash}/>",
        x + 22.0
    );
    text(svg, (x + 28.0, y + 4.0), "start", 12, &series.name);
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, size: u32, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{}</text>",
        escaped(text)
    );
}

/// From the least to the largest value; `from_zero` if the axis begins at 0. Never empty.
fn range(values: impl Iterator<Item = f64>, from_zero: bool) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        low = low.min(value);
        high = high.max(value);
    }
    if from_zero {
        low = low.min(0.0);
        high *= 1.05;
    }
    match low.is_finite() && high > low {
        true => (low, high),
        false if low.is_finite() => (low, low + 1.0),
        false => (0.0, 1.0),
    }
}

fn number(value: f64) -> String {
    let text = match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_well_formed_whatever_is_in_it() {
        let check = |points: Vec<(f64, f64)>| {
            let chart = Chart {
                title: "a < b & c".to_owned(),
                x: "x".to_owned(),
                y: "y".to_owned(),
                series: vec![Series {
                    name: "<s>".to_owned(),
                    bounds: points.iter().map(|(_, y)| (y - 1.0, y + 1.0)).collect(),
                    points,
                }],
            };
            let svg = chart.svg();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert!(svg.contains("a &lt; b &amp; c") && svg.contains("&lt;s&gt;"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        };
        check(vec![]);
        check(vec![(1.0, 1.0)]);
        check(vec![(0.0, 1.0), (5.0, f64::NAN), (9.0, 3.0)]);
    }

    #[test]
    fn higher_values_are_drawn_higher() {
        let frame = Frame {
            x: (0.0, 1.0),
            y: (0.0, 2.0),
        };
        assert!(frame.at(0.5, 2.0).1 < frame.at(0.5, 1.0).1);
        assert_eq!(frame.at(0.0, 0.0), (LEFT, HEIGHT - BOTTOM));
    }
}
