//! The teacher that is shipped is what its README says.

use super::*;

#[test]
fn the_bundled_teacher_unpacks_verifies_and_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = write_teacher(dir.path()).unwrap();
    assert_eq!(teacher.digest(), digest());
    assert!(size() <= 8 << 20, "{}", size());
    assert_eq!(write_teacher(dir.path()).unwrap().digest(), digest());
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    assert_eq!(
        write_teacher(dir.path()).unwrap().digest(),
        digest(),
        "a damaged directory is mended"
    );
}
