//! A miner as a process of its own, with a wallet, a devnet and a port that stay when it is killed.

use std::{
    fs::{self, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use athanor_chain::{Client, Wallet, wallet::KeyKind};
use athanor_devnet::{Config, Devnet, Genesis, NeuronGenesis, Sealing, TAO, development_account};
use athanor_model::Checkpoint;
use athanor_net::{AskError, PeerAddress};
use athanor_spec::{Answer, Ask, Digest, Hotkey, Refusal, Signed};

use crate::miner::{Asker, ENDLESS, NETUID, VALIDATOR, student};

/// Where the miner may be found, and what it runs on.
pub(crate) struct Rig {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) chain: Client,
    /// What it was given to serve.
    pub(crate) model: Checkpoint,
    pub(crate) hotkey: Hotkey,
    addr: SocketAddr,
    child: Option<Child>,
    _devnet: Devnet,
}

impl Rig {
    /// A devnet on which Bob validates and a hotkey of its own mines; `noise` is how much its student has to learn.
    pub(crate) async fn new(noise: f32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let wallet = Wallet {
            path: directory.path().join("wallets"),
            name: "miner".to_owned(),
            hotkey: "default".to_owned(),
        };
        wallet.create(KeyKind::Coldkey, None).unwrap();
        let hotkey = wallet.create(KeyKind::Hotkey, None).unwrap().address;

        let mut genesis = Genesis::development(Duration::from_secs(12));
        let subnet = &mut genesis.subnets[0];
        subnet.tempo = 12;
        subnet.max_allowed_validators = 1;
        let neuron = |hotkey, stake| NeuronGenesis {
            coldkey: development_account("Ferdie").into(),
            hotkey,
            stake,
        };
        let validator = development_account(VALIDATOR).into();
        // It is the owner's: what it announces counts.
        subnet.owner_hotkey = Some(development_account(VALIDATOR).into());
        subnet.neurons = vec![neuron(validator, 2000 * TAO), neuron(hotkey.0.into(), 0)];
        let config = Config {
            sealing: Sealing::Interval(Duration::from_millis(250)),
            ..Config::deterministic(genesis)
        };
        let devnet = athanor_devnet::spawn(config).await.unwrap();
        let chain = Client::connect(&devnet.url()).await.unwrap();
        let model = student(directory.path(), 3, noise);
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            chain,
            model,
            hotkey,
            addr: free.local_addr().unwrap(),
            child: None,
            directory,
            _devnet: devnet,
        }
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("miner.log")
    }

    /// What all lives of the miner have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap()
    }

    /// Starts the miner, as an operator would.
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let port = self.addr.port().to_string();
        let child = Command::new(crate::binary::binary("athanor-miner"))
            .arg("run")
            .arg("--wallet.path")
            .arg(self.directory.path().join("wallets"))
            .args(["--wallet.name", "miner"])
            .args(["--subtensor.chain_endpoint", self._devnet.url().as_str()])
            .args(["--axon.ip", "127.0.0.1", "--axon.port", &port])
            .arg("--data.dir")
            .arg(self.directory.path().join("miner"))
            .arg("--model")
            .arg(&self.model.dir)
            .args(["--device", "cpu"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// What `check` finds out about the miner, and whether all is well.
    pub(crate) async fn check(&self) -> (serde_json::Value, bool) {
        let mut check = Command::new(crate::binary::binary("athanor-miner"));
        check
            .args(["check", "--json", "--wallet.path"])
            .arg(self.directory.path().join("wallets"))
            .args(["--wallet.name", "miner"])
            .args(["--subtensor.chain_endpoint", self._devnet.url().as_str()])
            .arg("--data.dir")
            .arg(self.directory.path().join("miner"))
            .arg("--model")
            .arg(&self.model.dir)
            .args(["--device", "cpu"]);
        let output = tokio::task::spawn_blocking(move || check.output().unwrap());
        let output = crate::chain::within(output).await.unwrap();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (report, output.status.success())
    }

    /// Sends the miner a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the miner has ended by itself, and says how.
    pub(crate) async fn ended(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().unwrap();
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
        crate::chain::within(status).await.unwrap()
    }

    /// Kills the miner as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "the miner ended by itself:\n{}",
            self.log()
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks the miner to end, and waits until it has.
    pub(crate) async fn end(&mut self) {
        let mut child = self.child.take().unwrap();
        let id = child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(told.success());
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
        let status = crate::chain::within(status).await.unwrap();
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    /// Memory that the miner holds now, in mebibytes.
    pub(crate) fn resident_mib(&self) -> u64 {
        let id = self.child.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse::<u64>().unwrap() / 1024
    }

    /// The miner as the chain shows it: where it is and what it committed to.
    pub(crate) async fn on_chain(&self) -> Option<(PeerAddress, Digest)> {
        let metagraph = self.chain.metagraph(NETUID).await.unwrap();
        let neuron = metagraph.by_hotkey(&self.hotkey).unwrap().clone();
        let (commitment, _) = neuron.commitment?;
        let address = PeerAddress {
            peer_key: commitment.peer_key,
            addr: neuron.axon?,
        };
        Some((address, commitment.checkpoint))
    }

    /// Asks until the miner answers, and says how long that took from now on. `ask` makes a fresh ask each time.
    pub(crate) async fn in_service(
        &mut self,
        asker: &Asker,
        mut ask: impl FnMut() -> Signed<Ask>,
    ) -> (Duration, PeerAddress, Answer) {
        let begun = Instant::now();
        loop {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the miner ended by itself:\n{}",
                self.log()
            );
            if let Some((address, _)) = self.on_chain().await {
                match asker.net.ask(&address, ask(), ENDLESS).await {
                    Ok(observed) => return (begun.elapsed(), address, observed.answer.payload),
                    // Signed before the miner was there, and perhaps answered by the one before it.
                    Err(AskError::Refused(Refusal::Replayed)) => {}
                    Err(AskError::Refused(refusal)) => panic!("refused: {refusal}"),
                    Err(_) => {}
                }
            }
            assert!(begun.elapsed() < ENDLESS, "no service:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
