//! The verbs by which people join a subnet, as they type them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use athanor_chain::{Client, Wallet, wallet::KeyKind, wallet::Password, wallet::password};
use athanor_devnet::{Devnet, TAO};
use athanor_spec::Hotkey;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    binary::binary,
    chain::{NETUID, config, genesis},
};

const BINARIES: [&str; 2] = ["athanor-miner", "athanor-validator"];
const PASSWORD: &str = "correct horse";

/// A folder of wallets and a chain on which some of them hold TAO.
struct Town {
    folder: tempfile::TempDir,
    devnet: Devnet,
}

impl Town {
    /// `rich` holds a hundred TAO under a password, `poor` nothing and without one; each has the hotkey `h`.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rich = None;
        for (name, password) in [("rich", Some(PASSWORD)), ("poor", None)] {
            let wallet = wallet(folder.path(), name);
            let password = password.map(|password| Password::new(password.to_owned()));
            let coldkey = wallet.create(KeyKind::Coldkey, password.as_ref()).unwrap();
            wallet.create(KeyKind::Hotkey, None).unwrap();
            rich.get_or_insert(coldkey.address);
        }
        let mut genesis = genesis(|_| {});
        genesis.endowed.push((rich.unwrap().0, 100 * TAO));
        let devnet = athanor_devnet::spawn(config(genesis)).await.unwrap();
        Self { folder, devnet }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn hotkey(&self, name: &str) -> Hotkey {
        let wallet = wallet(self.folder.path(), name);
        wallet.address(KeyKind::Hotkey).unwrap()
    }

    /// A verb, run to its end. `password` is what the environment holds for the coldkey.
    async fn run(&self, program: &str, arguments: &[&str], password: Option<&str>) -> Output {
        let mut command = Command::new(binary(program));
        command
            .args(arguments)
            .env("RUST_LOG", "off")
            .stdin(Stdio::null());
        if let Some(password) = password {
            let variable = password::variable(&self.path().join("rich/coldkey"));
            command.env(&variable, masked(&variable, password));
        }
        // The chain runs in this process.
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    /// The arguments that say which wallet and which chain.
    fn whose(&self, name: &str) -> Vec<String> {
        let path = self.path().to_str().unwrap().to_owned();
        let url = self.devnet.url();
        let words = [
            "--wallet.path",
            &path,
            "--wallet.name",
            name,
            "--wallet.hotkey",
            "h",
            "--subtensor.chain_endpoint",
            &url,
        ];
        words.map(str::to_owned).to_vec()
    }

    async fn register(
        &self,
        program: &str,
        name: &str,
        rest: &[&str],
        password: Option<&str>,
    ) -> Output {
        let whose = self.whose(name);
        let mut arguments = vec!["register", "--netuid", "1"];
        arguments.extend(whose.iter().map(String::as_str));
        arguments.extend(rest);
        self.run(program, &arguments, password).await
    }

    async fn overview(&self, program: &str, name: &str, rest: &[&str]) -> Output {
        let whose = self.whose(name);
        let mut arguments = vec!["overview", "--netuid", "1"];
        arguments.extend(whose.iter().map(String::as_str));
        arguments.extend(rest);
        self.run(program, &arguments, None).await
    }

    async fn balance(&self, program: &str, name: &str, rest: &[&str]) -> Output {
        let path = self.path().to_str().unwrap().to_owned();
        let url = self.devnet.url();
        let mut arguments = vec![
            "wallet",
            "--wallet.path",
            &path,
            "--wallet.name",
            name,
            "balance",
            "--subtensor.chain_endpoint",
            &url,
        ];
        arguments.extend(rest);
        self.run(program, &arguments, None).await
    }
}

fn wallet(folder: &Path, name: &str) -> Wallet {
    Wallet {
        path: folder.to_owned(),
        name: name.to_owned(),
        hotkey: "h".to_owned(),
    }
}

/// A password as bittensor's tools put it into the environment.
fn masked(variable: &str, password: &str) -> String {
    let bytes = password.bytes().zip(variable.bytes().cycle());
    STANDARD.encode(bytes.map(|(byte, mask)| byte ^ mask).collect::<Vec<_>>())
}

fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    let text = printed(output);
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Asserts status 2, and a last line that holds every one of `parts`.
fn check_refused(output: &Output, parts: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(output.stdout.is_empty(), "a script would read this");
    let last = told.trim_end().lines().last().unwrap();
    for part in parts {
        assert!(last.contains(part), "no {part:?} in: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_joins_a_subnet_and_sees_how_it_stands() {
    let town = Town::new().await;
    let [miner, validator] = BINARIES;
    let hotkey = town.hotkey("rich").to_ss58();

    let before = town.overview(miner, "rich", &[]).await;
    let text = printed(&before);
    assert!(
        text.contains("holds 100 TAO") && text.contains("not registered"),
        "{text}"
    );

    // A password that is wrong, none at all, and the right one.
    let wrong = town.register(miner, "rich", &[], Some("wrong horse")).await;
    check_refused(&wrong, &["does not open", "rich/coldkey"]);
    let none = town.register(miner, "rich", &[], None).await;
    check_refused(&none, &["is encrypted", "BT_PW_"]);
    let limit = ["--burn.limit", "50", "--json"];
    let registered = json(&town.register(miner, "rich", &limit, Some(PASSWORD)).await);
    assert_eq!(registered["hotkey"], hotkey);
    assert_eq!(registered["uid"], 3);
    let quote = registered["quote_rao"].as_u64().unwrap();

    let again = town.register(validator, "rich", &[], None).await;
    check_refused(&again, &[&hotkey, "already", "nothing was paid"]);

    let balance = json(&town.balance(validator, "rich", &["--json"]).await);
    let left = balance["balance_rao"].as_u64().unwrap();
    let paid = 100 * TAO - left;
    // The price falls while nobody registers, and the fee comes on top.
    assert!(paid > 0 && paid < quote + TAO / 100, "{paid} for {quote}");
    let text = printed(&town.balance(miner, "rich", &[]).await);
    let coldkey = balance["coldkey"].as_str().unwrap();
    assert!(text.starts_with(&format!("{coldkey} holds 9")), "{text}");

    for program in BINARIES {
        let overview = json(&town.overview(program, "rich", &["--json"]).await);
        assert_eq!(overview["balance_rao"], left);
        let own = &overview["hotkeys"][0];
        assert_eq!(
            (&own["name"], &own["hotkey"]),
            (&"h".into(), &hotkey.as_str().into())
        );
        assert_eq!(own["neuron"]["uid"], 3);
        assert_eq!(own["neuron"]["registered_at"], registered["block"]);
        let text = printed(&town.overview(program, "rich", &[]).await);
        assert!(text.contains("\nh ") && text.contains("miner"), "{text}");
    }
    let client = Client::connect(&town.devnet.url()).await.unwrap();
    let metagraph = client.metagraph(NETUID).await.unwrap();
    assert!(metagraph.by_hotkey(&town.hotkey("rich")).is_some());
    town.devnet.shutdown().await;
}

/// Nobody is asked for a password for what cannot be done anyhow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_registered_is_told_before_a_password_is_needed() {
    let town = Town::new().await;
    for program in BINARIES {
        let dear = town
            .register(program, "rich", &["--burn.limit", "0.000000001"], None)
            .await;
        check_refused(
            &dear,
            &["more than the limit of 0.000000001", "raise the limit"],
        );
        let poor = town.register(program, "poor", &[], None).await;
        check_refused(&poor, &["costs", "holds 0", "send it the difference"]);
        let nobody = town.register(program, "nobody", &[], None).await;
        check_refused(&nobody, &["nobody"]);
        let nobody = town.overview(program, "nobody", &[]).await;
        check_refused(&nobody, &["nobody"]);
        let nobody = town.balance(program, "nobody", &[]).await;
        check_refused(&nobody, &["nobody"]);
        let amount = town
            .register(program, "rich", &["--burn.limit", "cheap"], None)
            .await;
        check_refused(&amount, &["cheap", "TAO"]);
        let mut arguments = vec!["register".to_owned(), "--netuid".to_owned(), "9".to_owned()];
        arguments.extend(town.whose("rich"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let nowhere = town.run(program, &arguments, None).await;
        check_refused(&nowhere, &["subnet 9 does not exist"]);
    }
    let balance = json(&town.balance("athanor-miner", "rich", &["--json"]).await);
    assert_eq!(balance["balance_rao"], 100 * TAO, "nothing was paid");
    town.devnet.shutdown().await;
}
