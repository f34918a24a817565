//! Wallets that bittensor's own tools wrote, and wallets that they can read.

use super::*;

const HOTKEY: &str = "5Fmy7Juw8KC4CA54ccpxEaASv18RS1avq9Yg1GSBF2YgyDL3";
const COLDKEY: &str = "5HES6aZS9taVnF42W2QqwaNdbvbazheZa43ML3vKDgA57fKb";

fn fixture(name: &str) -> Wallet {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wallets");
    Wallet {
        path,
        name: name.to_owned(),
        hotkey: "plain".to_owned(),
    }
}

fn fresh(folder: &tempfile::TempDir) -> Wallet {
    Wallet {
        path: folder.path().join("wallets"),
        name: "default".to_owned(),
        hotkey: "miner".to_owned(),
    }
}

#[test]
fn hotkeys_written_by_bittensor_are_read_with_and_without_crypto_type() {
    for name in ["fixture", "fixture-nocryptotype"] {
        let pair = fixture(name).hotkey().unwrap();
        assert_eq!(Hotkey(pair.public().0).to_ss58(), HOTKEY);
        assert_eq!(
            fixture(name).address(KeyKind::Hotkey).unwrap().to_ss58(),
            HOTKEY
        );
    }
}

#[test]
fn each_of_the_three_secrets_restores_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    let whole = fs::read_to_string(fixture("fixture").key_file(KeyKind::Hotkey).unwrap()).unwrap();
    fs::create_dir_all(wallet.path.join("default/hotkeys")).unwrap();
    for missing in [&[][..], &["secretPhrase"], &["secretPhrase", "secretSeed"]] {
        let mut fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&whole).unwrap();
        for field in missing {
            fields.remove(*field).unwrap();
        }
        let file = wallet.key_file(KeyKind::Hotkey).unwrap();
        fs::write(file, serde_json::to_vec(&fields).unwrap()).unwrap();
        let pair = wallet.hotkey().unwrap();
        assert_eq!(
            Hotkey(pair.public().0).to_ss58(),
            HOTKEY,
            "without {missing:?}"
        );
        let signature = pair.sign(b"message");
        assert!(
            sr25519::Pair::verify(&signature, b"message", &pair.public()),
            "without {missing:?}"
        );
    }
}

#[test]
fn an_encrypted_coldkey_is_refused_with_what_to_do_and_its_address_is_still_known() {
    for name in ["fixture", "fixture-indep"] {
        let error = fixture(name).coldkey().map(drop).unwrap_err();
        assert!(matches!(error, WalletError::Encrypted { .. }));
        let text = error.to_string();
        assert!(
            text.contains("a daemon needs the hotkey only") && text.contains("BT_PW_"),
            "{text}"
        );
        assert_eq!(
            fixture(name).address(KeyKind::Coldkey).unwrap().to_ss58(),
            COLDKEY
        );
    }
}

/// One test for all that derives a key from a password: each derivation takes 512 MiB and seconds.
#[test]
fn coldkeys_encrypted_by_bittensor_open_and_ours_are_encrypted_alike() {
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture("expected.json").folder().unwrap()).unwrap())
            .unwrap();
    let key = encryption::derive("athanor-test").unwrap();
    assert_eq!(
        hex::encode(key.as_slice()),
        expected["kdf"]["derived_key_hex"].as_str().unwrap()
    );
    for name in ["fixture", "fixture-indep"] {
        let file = fs::read(fixture(name).key_file(KeyKind::Coldkey).unwrap()).unwrap();
        let opened = encryption::open(&file, &key).unwrap();
        assert_eq!(
            str::from_utf8(&opened).unwrap(),
            expected["coldkey_plaintext_json"].as_str().unwrap(),
            "{name}"
        );
    }
    // bittensor-wallet 4.1.0 and 3.1.0 read both keys of this wallet (`read.py`), which was written here.
    let read: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture("ours.json").folder().unwrap()).unwrap()).unwrap();
    let file = fs::read(fixture("ours").key_file(KeyKind::Coldkey).unwrap()).unwrap();
    let fields: serde_json::Value =
        serde_json::from_slice(&encryption::open(&file, &key).unwrap()).unwrap();
    assert_eq!(fields["ss58Address"], read["coldkey"]);
    let hotkey = fixture("ours").hotkey().unwrap();
    assert_eq!(Hotkey(hotkey.public().0).to_ss58(), read["hotkey"]);

    let ask = |password: &str| Ok(Some(Password::new(password.to_owned())));
    let pair = fixture("fixture")
        .pair(KeyKind::Coldkey, |_| ask("athanor-test"))
        .unwrap();
    assert_eq!(Hotkey(pair.public().0).to_ss58(), COLDKEY);
    let wrong = fixture("fixture").pair(KeyKind::Coldkey, |_| ask("athanor"));
    assert!(matches!(
        wrong.map(drop).unwrap_err(),
        WalletError::WrongPassword { .. }
    ));

    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    let password = Password::new("athanor-test".to_owned());
    let new = wallet.create(KeyKind::Coldkey, Some(&password)).unwrap();
    let file = fs::read(wallet.key_file(KeyKind::Coldkey).unwrap()).unwrap();
    assert!(file.starts_with(b"$NACL"));
    let fields: serde_json::Value =
        serde_json::from_slice(&encryption::open(&file, &key).unwrap()).unwrap();
    assert_eq!(fields["secretPhrase"].as_str().unwrap(), new.phrase);
    assert!(fields.get("cryptoType").is_none());
    assert_eq!(wallet.address(KeyKind::Coldkey).unwrap(), new.address);
}

#[test]
fn every_wallet_of_a_folder_is_listed_by_its_addresses() {
    let listed = list(&fixture("fixture").path).unwrap();
    let names: Vec<&str> = listed.iter().map(|wallet| wallet.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "fixture",
            "fixture-ed25519",
            "fixture-indep",
            "fixture-nocryptotype",
            "ours"
        ]
    );
    let wallet = &listed[names.iter().position(|name| *name == "fixture").unwrap()];
    assert_eq!(wallet.coldkey.unwrap().to_ss58(), COLDKEY);
    let hotkeys: Vec<(&str, String)> = wallet
        .hotkeys
        .iter()
        .map(|(name, address)| (name.as_str(), address.unwrap().to_ss58()))
        .collect();
    assert_eq!(hotkeys, [("plain", HOTKEY.to_owned())]);
    assert!(matches!(
        list(Path::new("/nowhere")).unwrap_err(),
        WalletError::Missing { .. }
    ));
}

#[test]
fn ed25519_keys_are_refused_by_name() {
    for error in [
        fixture("fixture-ed25519").hotkey().map(drop).unwrap_err(),
        fixture("fixture-ed25519").coldkey().map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, WalletError::Ed25519 { .. }));
        assert!(error.to_string().contains("VRF"), "{error}");
    }
}

#[test]
fn a_created_key_reads_back_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    for kind in [KeyKind::Coldkey, KeyKind::Hotkey] {
        let new = wallet.create(kind, None).unwrap();
        assert_eq!(wallet.address(kind).unwrap(), new.address);
        assert_eq!(
            Hotkey(wallet.pair(kind, |_| Ok(None)).unwrap().public().0),
            new.address
        );
        assert_eq!(new.phrase.split(' ').count(), 12);
        assert!(matches!(
            wallet.create(kind, None).unwrap_err(),
            WalletError::Exists { .. }
        ));
        assert_eq!(wallet.address(kind).unwrap(), new.address);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_key_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    wallet.create(KeyKind::Hotkey, None).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&wallet.key_file(KeyKind::Hotkey).unwrap()), 0o600);
    assert_eq!(mode(&wallet.path.join("default/hotkeys")), 0o700);
}

#[test]
fn what_is_written_has_the_fields_that_bittensor_reads() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    let phrase = "defense credit syrup butter anger gift hammer marine knock harsh cannon chronic";
    assert_eq!(
        wallet
            .import(KeyKind::Hotkey, phrase, None)
            .unwrap()
            .to_ss58(),
        HOTKEY
    );
    let read = |path: PathBuf| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let theirs = fixture("fixture-nocryptotype");
    assert_eq!(
        read(wallet.key_file(KeyKind::Hotkey).unwrap()),
        read(theirs.key_file(KeyKind::Hotkey).unwrap()),
        "same fields and values as bittensor-wallet writes"
    );
    assert_eq!(
        read(wallet.public_file(KeyKind::Hotkey).unwrap()),
        read(theirs.public_file(KeyKind::Hotkey).unwrap())
    );
}

#[test]
fn a_seed_restores_a_key_and_nonsense_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    let seed = "0x8a020bf61c258bbb8090ccc46cf56783d09694c8e09226cfa14041c6711c0c4f";
    assert!(matches!(
        wallet
            .import(KeyKind::Hotkey, "correct horse", None)
            .unwrap_err(),
        WalletError::BadPhrase
    ));
    assert_eq!(
        wallet
            .import(KeyKind::Hotkey, seed, None)
            .unwrap()
            .to_ss58(),
        HOTKEY
    );
}

fn check_refused(content: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let wallet = fresh(&folder);
    let file = wallet.key_file(KeyKind::Hotkey).unwrap();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content).unwrap();
    let error = wallet
        .hotkey()
        .map(|pair| pair.public())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(expected),
        "`{error}` does not mention `{expected}`"
    );
    assert!(error.contains("miner"), "`{error}` does not name the file");
}

#[test]
fn every_other_file_is_refused_with_its_path_and_reason() {
    check_refused(b"", "not a bittensor key file");
    check_refused(b"$ANSIBLE_VAULT;1.1;AES256", "ansible-vault");
    check_refused(b"gAAAAABlabc", "Fernet");
    check_refused(
        format!(r#"{{"ss58Address":"{HOTKEY}"}}"#).as_bytes(),
        "public key only",
    );
    check_refused(br#"{"secretPhrase":"one two three"}"#, "secretPhrase");
    check_refused(br#"{"privateKey":"0x00"}"#, "privateKey");
    let other = format!(
        r#"{{"ss58Address":"{COLDKEY}","secretSeed":"0x{}"}}"#,
        "11".repeat(32)
    );
    check_refused(other.as_bytes(), "mixed up");
}

#[test]
fn names_cannot_leave_the_wallets_folder() {
    for name in ["", "..", "../other", "a/b", ".hidden"] {
        let mut wallet = fixture("fixture");
        wallet.hotkey = name.to_owned();
        assert!(
            matches!(
                wallet.hotkey().map(drop).unwrap_err(),
                WalletError::BadName { .. }
            ),
            "{name}"
        );
    }
}
