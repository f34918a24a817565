//! End a text at the first of some strings, without ever showing a part of one.

/// Watches a growing text for strings that end it.
#[derive(Clone, Debug)]
pub struct StopStrings {
    stops: Vec<String>,
    /// The end of the text so far, which may be the beginning of a stop string.
    held: String,
}

/// What may be shown after more text has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Text that no stop string can begin in any more.
    pub text: String,
    /// Whether a stop string came: the text ends before it, and nothing follows.
    pub stopped: bool,
}

impl StopStrings {
    /// Watches for any of these; an empty string stops nothing.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self {
            stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(),
            held: String::new(),
        }
    }

    /// Takes more of the text. Once it has stopped, give it no more.
    pub fn push(&mut self, text: &str) -> Released {
        self.held.push_str(text);
        let first = self.stops.iter().filter_map(|stop| self.held.find(stop));
        if let Some(at) = first.min() {
            self.held.truncate(at);
            return Released {
                text: std::mem::take(&mut self.held),
                stopped: true,
            };
        }
        let kept = self.held.split_off(self.held.len() - self.beginning());
        Released {
            text: std::mem::replace(&mut self.held, kept),
            stopped: false,
        }
    }

    /// The text has ended otherwise: what was held back belongs to it.
    pub fn finish(self) -> String {
        self.held
    }

    /// Bytes at the end of the held text that a stop string begins with, as many as there are.
    fn beginning(&self) -> usize {
        let longest = |stop: &String| {
            let most = self.held.len().min(stop.len() - 1);
            (1..=most)
                .rev()
                .find(|&bytes| self.held.as_bytes().ends_with(&stop.as_bytes()[..bytes]))
        };
        // Two texts that agree in whole begin a character together, so this is a boundary.
        self.stops.iter().filter_map(longest).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stop_string_across_pieces_is_never_shown() {
        let mut stops = StopStrings::new(["</end>".to_owned(), "\n\n".to_owned()]);
        let mut push = |text: &str| {
            let Released { text, stopped } = stops.push(text);
            (text, stopped)
        };
        assert_eq!(push("yes <"), ("yes ".to_owned(), false));
        assert_eq!(push("/e"), (String::new(), false));
        assert_eq!(push("ven\n"), ("</even".to_owned(), false));
        assert_eq!(push("so</end>\n\n"), ("\nso".to_owned(), true));
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_text_gives(
            text in "[abcé]{0,40}",
            stops in prop::collection::vec("[abcé]{0,4}", 0..4),
            cuts in prop::collection::vec(1_usize..4, 0..40),
        ) {
            let known: Vec<&String> = stops.iter().filter(|stop| !stop.is_empty()).collect();
            let first = known.iter().filter_map(|stop| text.find(stop.as_str())).min();
            let mut watched = StopStrings::new(stops.iter().cloned());
            let (mut shown, mut stopped) = (String::new(), false);
            let mut rest = text.chars().peekable();
            let mut cuts = cuts.into_iter().chain(std::iter::repeat(2));
            while rest.peek().is_some() && !stopped {
                let piece: String = rest.by_ref().take(cuts.next().unwrap_or(1)).collect();
                let released = watched.push(&piece);
                shown.push_str(&released.text);
                stopped = released.stopped;
                // What has been shown never has to be taken back.
                prop_assert!(text.starts_with(&shown));
            }
            if !stopped {
                shown.push_str(&watched.finish());
            }
            // A longer stop string may begin before a shorter one that ends first: then the shorter one has stopped it.
            prop_assert_eq!(stopped, first.is_some());
            if let Some(first) = first {
                prop_assert!(shown.len() >= first);
                prop_assert!(known.iter().all(|stop| !shown.contains(stop.as_str())));
            } else {
                prop_assert_eq!(shown, text);
            }
        }
    }
}
