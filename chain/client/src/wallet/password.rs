//! Where the password of a key file comes from: the caller, or the environment as bittensor's tools put it there.

use std::{env, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// A secret text that is wiped from memory when it is dropped.
pub type Password = Zeroizing<String>;

/// Name of the environment variable for the password of the key file at `path`, as bittensor-wallet makes it:
/// `BT_PW_`, then the path in capitals with `_` for each `/` and `.`.
pub fn variable(path: &Path) -> String {
    let path = path.to_string_lossy().to_uppercase();
    format!("BT_PW_{}", path.replace(['/', '.'], "_"))
}

/// The password that the environment holds for the key file at `path`.
pub fn from_environment(path: &Path) -> Option<Password> {
    let name = variable(path);
    let value = Zeroizing::new(env::var(&name).ok()?);
    unmask(&name, &value)
}

/// bittensor-wallet's guard against a glance: base64 of the password, combined byte by byte with the variable's name.
fn unmask(name: &str, value: &str) -> Option<Password> {
    let masked = Zeroizing::new(STANDARD.decode(value.trim()).ok()?);
    let bytes = masked.iter().zip(name.bytes().cycle());
    String::from_utf8(bytes.map(|(byte, mask)| byte ^ mask).collect())
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_named_as_bittensor_names_it() {
        assert_eq!(
            variable(Path::new("/home/me/wallets/fixture/coldkey")),
            "BT_PW__HOME_ME_WALLETS_FIXTURE_COLDKEY"
        );
        assert_eq!(
            variable(Path::new("/home/me/.bittensor/my-wallet/coldkey")),
            "BT_PW__HOME_ME__BITTENSOR_MY-WALLET_COLDKEY"
        );
    }

    #[test]
    fn a_password_is_unmasked_with_the_name() {
        let name = "BT_PW__W_COLDKEY";
        let masked: Vec<u8> = "athanor-test, and longer than the name"
            .bytes()
            .zip(name.bytes().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let password = unmask(name, &STANDARD.encode(masked)).unwrap();
        assert_eq!(password.as_str(), "athanor-test, and longer than the name");
        assert!(unmask(name, "not base64!").is_none());
    }
}
