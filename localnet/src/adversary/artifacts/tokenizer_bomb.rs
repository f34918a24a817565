//! Commits to a tokenizer whose pattern, some bytes long, would take its reader's time and memory to compile.

use athanor_model::checkpoint::TOKENIZER;

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::file;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "use the teacher's file as it is");
    workshop.misfit("tokenizer_bomb", told, |files| {
        let nested = "(".repeat(12) + "a" + &"{1000})".repeat(12);
        let bytes = file(files, TOKENIZER)?;
        let mut json: serde_json::Value = serde_json::from_slice(bytes)?;
        json["pre_tokenizer"] = serde_json::json!({
            "type": "Split",
            "pattern": { "Regex": nested },
            "behavior": "Isolated",
            "invert": false,
        });
        *bytes = json.to_string().into_bytes();
        Ok(())
    })
}
