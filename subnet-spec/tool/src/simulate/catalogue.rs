//! The list of attacks.

use std::fmt::Write as _;

use athanor_scoring::attack::CATALOGUE;
use serde_json::json;

/// Every attack with its bound and its cost.
pub(super) fn told(as_json: bool, as_csv: bool) -> String {
    if as_json {
        let attacks: Vec<_> = CATALOGUE
            .iter()
            .map(|it| {
                json!({
                    "name": it.name, "side": it.side().name(), "bound": it.bound, "cost": it.cost,
                    "identities": it.identities, "shares_machine": it.shares_machine, "summary": it.summary,
                })
            })
            .collect();
        return json!(attacks).to_string();
    }
    let mut text = match as_csv {
        true => "name,side,bound,gpu_seconds,identities,summary".to_owned(),
        false => format!(
            "{:<24}{:<10} bound  GPU-s/epoch  hotkeys  what it does",
            "attack", "side"
        ),
    };
    for it in CATALOGUE {
        let side = it.side().name();
        let gpu = it.cost.gpu_seconds;
        // Writing to a string cannot fail.
        let _ = match as_csv {
            true => write!(
                text,
                "\n{},{side},{},{gpu},{},{}",
                it.name, it.bound, it.identities, it.summary
            ),
            false => write!(
                text,
                "\n{:<24}{side:<10}{:>6.1}{gpu:>13.0}{:>9}  {}",
                it.name, it.bound, it.identities, it.summary
            ),
        };
    }
    text
}
