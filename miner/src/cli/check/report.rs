//! What `check` found: one line for each test.

use std::fmt::Write as _;

use serde::Serialize;

/// All tests, in the order in which they were made.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    passed: bool,
    tests: Vec<Test>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Test {
    name: &'static str,
    outcome: Outcome,
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Pass,
    Fail,
    Skip,
}

impl Report {
    pub(super) fn pass(&mut self, name: &'static str, detail: String) {
        self.add(name, Outcome::Pass, detail, None);
    }

    pub(super) fn fail(&mut self, name: &'static str, detail: String, next: &str) {
        self.add(name, Outcome::Fail, detail, Some(next.to_owned()));
    }

    pub(super) fn skip(&mut self, name: &'static str, why: &str) {
        self.add(name, Outcome::Skip, why.to_owned(), None);
    }

    /// Passes or fails, with the same detail either way.
    pub(super) fn judge(&mut self, name: &'static str, ok: bool, detail: String, next: &str) {
        match ok {
            true => self.pass(name, detail),
            false => self.fail(name, detail, next),
        }
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Whether no test failed.
    pub(super) fn passed(&self) -> bool {
        self.tests.iter().all(|test| test.outcome != Outcome::Fail)
    }

    /// One JSON object.
    pub(super) fn json(mut self) -> Result<String, serde_json::Error> {
        self.passed = self.passed();
        serde_json::to_string(&self)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for test in &self.tests {
            let word = match test.outcome {
                Outcome::Pass => "pass",
                Outcome::Fail => "FAIL",
                Outcome::Skip => "skip",
            };
            // Writing to a string does not fail.
            let _ = write!(text, "{word}  {:<14}{}", test.name, test.detail);
            if let Some(next) = &test.next {
                let _ = write!(text, "; {next}");
            }
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "note  {note}");
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, detail: String, next: Option<String>) {
        self.tests.push(Test {
            name,
            outcome,
            detail,
            next,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_fails_says_what_to_do_and_fails_the_whole() {
        let mut report = Report::default();
        report.pass("one", "fine".into());
        report.skip("two", "not now");
        assert!(report.passed());
        report.fail("three", "broken".into(), "mend it");
        report.note("by the way".into());
        assert!(!report.passed());
        assert_eq!(
            report.text(),
            "pass  one           fine\nskip  two           not now\nFAIL  three         broken; mend it\nnote  by the way"
        );
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["passed"], false);
        assert_eq!(json["tests"][2]["next"], "mend it");
        assert_eq!(json["tests"][0]["outcome"], "pass");
    }
}
