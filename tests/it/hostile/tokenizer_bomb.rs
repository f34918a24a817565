//! Commits to a tokenizer whose pattern, some bytes long, would take its reader's time and memory to compile.

use athanor_model::checkpoint::TOKENIZER;

use super::impostor::{Adversary, Workshop};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "use the teacher's file as it is");
    workshop.adversary("tokenizer_bomb", told, |files| {
        let nested = "(".repeat(12) + "a" + &"{1000})".repeat(12);
        let json = serde_json::from_slice::<serde_json::Value>(&files[TOKENIZER]);
        let mut json = json.unwrap();
        json["pre_tokenizer"] = serde_json::json!({
            "type": "Split",
            "pattern": { "Regex": nested },
            "behavior": "Isolated",
            "invert": false,
        });
        files.insert(TOKENIZER.to_owned(), json.to_string().into_bytes());
    })
}
