//! Whether clients find what they look for: names, numbers, argument types, keys and defaults as on Bittensor.
//!
//! The measure is the metadata of Bittensor's main network at spec version 365.

mod lists;
mod surface;

use std::collections::BTreeSet;

use lists::{DIFFERENT, NEWER, REQUIRED};
use surface::{Surface, read, surface};

use super::Runtime;

/// Bittensor's metadata.
const FINNEY: &[u8] =
    include_bytes!("../../../../client/tests/fixtures/finney-365.metadata.v15.scale");

/// Python's libraries look for events by the last segment of their type's path, after exactly one other.
#[test]
fn the_type_of_events_has_a_path_of_two_segments() {
    use scale_info::TypeInfo as _;
    let path = crate::RuntimeEvent::type_info().path;
    assert_eq!(path.segments, ["athanor_runtime", "RuntimeEvent"]);
}

/// Python's libraries find an error by its place in the list, whatever its number is.
#[test]
fn errors_are_numbered_without_a_gap() {
    let bytes = sp_io::TestExternalities::default()
        .execute_with(|| Runtime::metadata_at_version(15))
        .unwrap();
    let metadata = read(&bytes);
    for pallet in &metadata.pallets {
        let Some(error) = &pallet.error else { continue };
        let kinds = &metadata.types.resolve(error.ty.id).unwrap().type_def;
        let scale_info::TypeDef::Variant(kinds) = kinds else {
            panic!("the errors of {} are no enum", pallet.name);
        };
        for (place, kind) in kinds.variants.iter().enumerate() {
            let number = usize::from(kind.index);
            assert_eq!(number, place, "{}.{}", pallet.name, kind.name);
        }
    }
}

/// Runs a check on our surface and Bittensor's.
fn compare(check: impl FnOnce(&Surface, &Surface)) {
    // The slot duration is read from storage when the metadata is made.
    sp_io::TestExternalities::default().execute_with(|| {
        let ours = Runtime::metadata_at_version(15).unwrap();
        check(&surface(&read(&ours)), &surface(&read(FINNEY)));
    });
}

#[test]
fn what_is_shared_with_bittensor_is_declared_as_there() {
    compare(|ours, theirs| {
        let different: Vec<String> = ours
            .iter()
            .filter_map(|(item, declared)| {
                let there = theirs.get(item).filter(|there| *there != declared)?;
                Some((item, declared, there))
            })
            .filter(|(item, ..)| !DIFFERENT.iter().any(|(known, _)| known == item))
            .map(|(item, here, there)| format!("{item}\n here {here}\nthere {there}"))
            .collect();
        assert!(different.is_empty(), "{}", different.join("\n"));
    });
}

#[test]
fn what_bittensor_had_not_at_that_version_is_known_by_name() {
    compare(|ours, theirs| {
        let newer: BTreeSet<&str> = ours
            .keys()
            .filter(|item| !theirs.contains_key(*item))
            .map(String::as_str)
            .filter(|item| !lists::OF_SUBSTRATE.iter().any(|of| item.starts_with(of)))
            .collect();
        let known: BTreeSet<&str> = NEWER.iter().copied().collect();
        let unknown: Vec<&&str> = newer.difference(&known).collect();
        assert!(unknown.is_empty(), "not listed: {unknown:#?}");
        let gone: Vec<&&str> = known.difference(&newer).collect();
        assert!(gone.is_empty(), "listed, but not there: {gone:#?}");
    });
}

#[test]
fn listed_differences_are_differences() {
    compare(|ours, theirs| {
        for (item, reason) in DIFFERENT {
            assert!(
                ours.contains_key(*item) && theirs.contains_key(*item),
                "{item}"
            );
            assert_ne!(ours.get(*item), theirs.get(*item), "{item}: {reason}");
        }
    });
}

#[test]
fn everything_that_clients_read_and_send_is_there() {
    compare(|ours, _| {
        let missing: Vec<&&str> = REQUIRED
            .iter()
            .filter(|item| !ours.contains_key(**item))
            .collect();
        assert!(missing.is_empty(), "{missing:#?}");
    });
}

#[test]
fn extensions_are_in_bittensors_places() {
    sp_io::TestExternalities::default().execute_with(|| {
        let names = |metadata: &[u8]| -> Vec<String> {
            read(metadata)
                .extrinsic
                .signed_extensions
                .into_iter()
                .map(|extension| extension.identifier)
                .collect()
        };
        let ours = Runtime::metadata_at_version(15).unwrap();
        assert_eq!(names(&ours), names(FINNEY));
    });
}
