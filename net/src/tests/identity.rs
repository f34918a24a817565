//! Keys and peer ids.

use crate::{BadPeerKey, Identity, IdentityFileError, peer_id};
use athanor_spec::Digest;

#[test]
fn the_committed_key_gives_the_peer_id() {
    let identity = Identity::from_seed([3; 32]);
    assert_eq!(peer_id(&identity.peer_key()), Ok(identity.peer_id()));
    assert_eq!(
        identity.peer_id().to_string(),
        "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba"
    );
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    // No point of the curve has the y-coordinate 2.
    let mut peer_key = Digest::default();
    peer_key.0[0] = 2;
    assert_eq!(peer_id(&peer_key), Err(BadPeerKey { peer_key }));
}

#[test]
fn a_file_keeps_the_identity() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peer.key");
    let first = Identity::open_or_create(&path).unwrap();
    let again = Identity::open_or_create(&path).unwrap();
    assert_eq!(first.peer_key(), again.peer_key());
    assert_ne!(
        first.peer_key(),
        Identity::open_or_create(&directory.path().join("other"))
            .unwrap()
            .peer_key()
    );
}

#[test]
fn a_file_that_holds_no_seed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peer.key");
    Identity::open_or_create(&path).unwrap();
    std::fs::write(&path, "not a seed").unwrap();
    assert!(matches!(
        Identity::open_or_create(&path),
        Err(IdentityFileError::NotASeed { .. })
    ));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peer.key");
    Identity::open_or_create(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        Identity::open_or_create(&path),
        Err(IdentityFileError::TooOpen { mode: 0o644, .. })
    ));
}
