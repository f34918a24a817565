//! Which values a key can have, in words and as a check.

use std::fmt;

use toml::Value;

/// The values of a key, with its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// A text that is not empty.
    Text {
        /// Most characters.
        longest: usize,
    },
    /// True or false.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Whole {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
        /// It is a multiple of this; 1 for any.
        step: u64,
    },
    /// A number.
    Number(Interval),
    /// Two whole numbers, the lower end and the upper one, both included.
    Span {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// At least one whole number.
    Wholes {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// At least one number.
    Numbers(Interval),
    /// A family of items: a table with keys of its own.
    Family,
}

/// An interval of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub least: f64,
    /// Upper end.
    pub most: f64,
    /// Whether the lower end itself is out.
    pub above: bool,
    /// Whether the upper end itself is out.
    pub below: bool,
}

/// Most members of a list.
const LONGEST_LIST: usize = 64;

impl Range {
    /// From 0 to 1.
    pub(super) const SHARE: Self = Self::Number(Interval {
        least: 0.0,
        most: 1.0,
        above: false,
        below: false,
    });

    /// A whole number in an interval, both ends included.
    pub(super) const fn whole(least: u64, most: u64) -> Self {
        Self::Whole {
            least,
            most,
            step: 1,
        }
    }

    /// What the type is called where another one was found.
    pub fn told(&self) -> &'static str {
        match self {
            Self::Text { .. } => "a text in quotes",
            Self::Flag => "true or false",
            Self::Choice(_) => "a word in quotes",
            Self::Whole { .. } => "a whole number",
            Self::Number(_) => "a number",
            Self::Span { .. } => "two whole numbers, [low, high]",
            Self::Wholes { .. } => "a list of whole numbers",
            Self::Numbers(_) => "a list of numbers",
            Self::Family => "a table",
        }
    }

    /// Whether a value has the type.
    pub(super) fn is_of_type(&self, value: &Value) -> bool {
        let list =
            |of: fn(&Value) -> bool| value.as_array().is_some_and(|values| values.iter().all(of));
        match self {
            Self::Text { .. } | Self::Choice(_) => value.is_str(),
            Self::Flag => value.is_bool(),
            Self::Whole { .. } => value.is_integer(),
            Self::Number(_) => is_number(value),
            Self::Span { .. } => {
                list(Value::is_integer) && value.as_array().is_some_and(|ends| ends.len() == 2)
            }
            Self::Wholes { .. } => list(Value::is_integer),
            Self::Numbers(_) => list(is_number),
            Self::Family => value.is_table(),
        }
    }

    /// Whether a value of the type is in the range.
    pub(super) fn contains(&self, value: &Value) -> bool {
        let list = |holds: &dyn Fn(&Value) -> bool| {
            value.as_array().is_some_and(|values| {
                (1..=LONGEST_LIST).contains(&values.len()) && values.iter().all(holds)
            })
        };
        match self {
            Self::Text { longest } => value
                .as_str()
                .is_some_and(|text| (1..=*longest).contains(&text.chars().count())),
            Self::Flag | Self::Family => true,
            Self::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Whole { least, most, step } => whole(value)
                .is_some_and(|it| (*least..=*most).contains(&it) && it.is_multiple_of(*step)),
            Self::Number(interval) => number(value).is_some_and(|it| interval.contains(it)),
            Self::Span { least, most } => {
                let ends: Vec<_> = value.as_array().into_iter().flatten().map(whole).collect();
                matches!(ends[..], [Some(low), Some(high)]
                    if *least <= low && low <= high && high <= *most)
            }
            Self::Wholes { least, most } => {
                list(&|it| whole(it).is_some_and(|it| (*least..=*most).contains(&it)))
            }
            Self::Numbers(interval) => {
                list(&|it| number(it).is_some_and(|it| interval.contains(it)))
            }
        }
    }
}

impl Interval {
    /// Between two ends that are both out.
    pub(super) const fn inside(least: f64, most: f64) -> Self {
        Self {
            least,
            most,
            above: true,
            below: true,
        }
    }

    /// From one end to the other, both included.
    pub(super) const fn closed(least: f64, most: f64) -> Self {
        Self {
            least,
            most,
            above: false,
            below: false,
        }
    }

    /// Above the one end, at most the other.
    pub(super) const fn above(least: f64, most: f64) -> Self {
        Self {
            least,
            most,
            above: true,
            below: false,
        }
    }

    /// Whether a number is in it.
    pub fn contains(&self, it: f64) -> bool {
        let low = if self.above {
            it > self.least
        } else {
            it >= self.least
        };
        let high = if self.below {
            it < self.most
        } else {
            it <= self.most
        };
        it.is_finite() && low && high
    }
}

fn is_number(value: &Value) -> bool {
    value.is_float() || value.is_integer()
}

fn whole(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|it| u64::try_from(it).ok())
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        // Whole numbers of a spec are far below 2^53.
        .or_else(|| value.as_integer().map(|it| it as f64))
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            least,
            most,
            above,
            below,
        } = self;
        match (above, below) {
            (true, true) => write!(f, "between {least} and {most}, both excluded"),
            (true, false) => write!(f, "above {least} and at most {most}"),
            (false, true) => write!(f, "at least {least} and below {most}"),
            (false, false) => write!(f, "between {least} and {most}"),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { longest } => write!(f, "a text of 1 to {longest} characters"),
            Self::Flag => f.write_str("true or false"),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                match quoted.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        write!(f, "{} or {last}", rest.join(", "))
                    }
                    _ => f.write_str(&quoted.join("")),
                }
            }
            Self::Whole { least, most, step } => match step {
                1 => write!(f, "between {least} and {most}"),
                step => write!(f, "a multiple of {step} between {least} and {most}"),
            },
            Self::Number(interval) => interval.fmt(f),
            Self::Span { least, most } => {
                write!(f, "[low, high] with {least} <= low <= high <= {most}")
            }
            Self::Wholes { least, most } => {
                write!(
                    f,
                    "at least one and at most {LONGEST_LIST}, each between {least} and {most}"
                )
            }
            Self::Numbers(interval) => {
                write!(
                    f,
                    "at least one and at most {LONGEST_LIST}, each {interval}"
                )
            }
            Self::Family => f.write_str("a table"),
        }
    }
}
