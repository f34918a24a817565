//! `athanor-validator keys`: make, show and revoke the keys of the gateway.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    keys::{KeyEntry, KeyLimits, KeyStore, KeysError},
    settings,
};

/// Where the keys are.
#[derive(Clone, Debug, Args)]
pub struct KeysArgs {
    /// The file of keys [default: gateway-keys.json in the data directory].
    #[arg(
        long = "gateway.keys",
        alias = "gateway-keys",
        value_name = "FILE",
        global = true
    )]
    keys: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    /// What to do.
    #[command(subcommand)]
    command: KeysCommand,
}

/// What to do with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key, and show it this once.
    New {
        /// Whose it is, in your words.
        name: String,
        /// Model tokens per minute, prompts and answers together.
        #[arg(long, value_name = "N", default_value_t = KeyLimits::default().tokens_per_minute)]
        tokens_per_minute: u32,
        /// Requests in flight.
        #[arg(long, value_name = "N", default_value_t = KeyLimits::default().in_flight)]
        in_flight: u32,
        /// Let its answers be used as evidence in audits, where a request does not say.
        #[arg(long)]
        audit: bool,
    },
    /// Show all keys, without what is secret.
    List,
    /// Refuse a key from now on.
    Revoke {
        /// Its id, or its name.
        id: String,
    },
}

impl KeysArgs {
    /// Does it, and says what was done; `data_dir` is the validator's.
    pub fn run(&self, data_dir: &std::path::Path) -> Result<String, KeysError> {
        let usual = || settings::usual_keys(data_dir);
        let store = KeyStore::new(self.keys.clone().unwrap_or_else(usual));
        match &self.command {
            KeysCommand::New {
                name,
                tokens_per_minute,
                in_flight,
                audit,
            } => {
                let limits = KeyLimits {
                    tokens_per_minute: *tokens_per_minute,
                    in_flight: *in_flight,
                    audit: *audit,
                };
                let (key, entry) = store.create(name, limits)?;
                Ok(match self.json {
                    true => {
                        let mut told = shown(&entry);
                        told["key"] = json!(key);
                        told.to_string()
                    }
                    false => format!(
                        "{key}\nThis is the only time that the key is shown. Its id is {}; {} keeps its hash.",
                        entry.id,
                        store.path().display()
                    ),
                })
            }
            KeysCommand::List => {
                let keys = store.list()?;
                if self.json {
                    let keys: Vec<_> = keys.iter().map(shown).collect();
                    return Ok(json!({"keys": keys}).to_string());
                }
                if keys.is_empty() {
                    return Ok("no keys: `athanor-validator keys new NAME` makes one".to_owned());
                }
                let mut table = format!(
                    "{:12}  {:>13}  {:>9}  {:5}  name",
                    "id", "tokens/minute", "in flight", "audit"
                );
                for KeyEntry {
                    id, name, limits, ..
                } in keys
                {
                    let audit = if limits.audit { "yes" } else { "no" };
                    table += &format!(
                        "\n{id:12}  {:>13}  {:>9}  {audit:5}  {name}",
                        limits.tokens_per_minute, limits.in_flight
                    );
                }
                Ok(table)
            }
            KeysCommand::Revoke { id } => {
                let entry = store.revoke(id)?;
                Ok(match self.json {
                    true => shown(&entry).to_string(),
                    false => format!(
                        "{} ({}) is revoked; a gateway that runs refuses it within a second",
                        entry.id, entry.name
                    ),
                })
            }
        }
    }
}

/// An entry without its hash.
fn shown(entry: &KeyEntry) -> serde_json::Value {
    json!({
        "id": entry.id,
        "name": entry.name,
        "created": entry.created,
        "tokens_per_minute": entry.limits.tokens_per_minute,
        "in_flight": entry.limits.in_flight,
        "audit": entry.limits.audit,
    })
}
