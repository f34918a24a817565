//! How fields are encoded, and who may commit to how much.

use codec::{Decode, Encode};
use frame_support::assert_ok;
use sp_io::TestExternalities;
use sp_runtime::{AccountId32, BuildStorage};

use super::pallet::CommitmentInfo;
use super::*;
use crate::{Commitments, Runtime, RuntimeGenesisConfig, RuntimeOrigin, System, subtensor::Uids};

fn raw(length: usize) -> Data {
    Data::Raw(vec![7; length].try_into().unwrap())
}

#[test]
fn each_length_of_bytes_is_a_variant_and_every_field_decodes_to_itself() {
    for length in 0..=128 {
        let encoded = raw(length).encode();
        assert_eq!(encoded.len(), 1 + length);
        assert_eq!(usize::from(encoded[0]), 1 + length);
        assert_eq!(Data::decode(&mut &encoded[..]), Ok(raw(length)));
    }
    let digest = [3; 32];
    let big = Data::BigRaw(vec![9; 512].try_into().unwrap());
    for (tag, field) in [
        (0, Data::None),
        (130, Data::BlakeTwo256(digest)),
        (131, Data::Sha256(digest)),
        (132, Data::Keccak256(digest)),
        (133, Data::ShaThree256(digest)),
        (136, big),
    ] {
        let encoded = field.encode();
        assert_eq!(encoded[0], tag);
        assert_eq!(Data::decode(&mut &encoded[..]), Ok(field));
    }
    assert!(Data::decode(&mut &[134_u8, 0, 0][..]).is_err());
    assert!(Data::decode(&mut &[129_u8, 0][..]).is_err());
}

#[test]
fn a_registered_hotkey_commits_within_its_space_and_others_do_not() {
    let storage = RuntimeGenesisConfig::default().build_storage().unwrap();
    TestExternalities::new(storage).execute_with(|| {
        System::set_block_number(5);
        let hotkey = AccountId32::new([4; 32]);
        let commit = |fields: Vec<Data>| {
            let info = CommitmentInfo {
                fields: fields.try_into().unwrap(),
            };
            let origin = RuntimeOrigin::signed(AccountId32::new([4; 32]));
            Commitments::set_commitment(origin, 1, Box::new(info))
        };
        let stranger = Error::<Runtime>::AccountNotAllowedCommit;
        assert_eq!(commit(vec![raw(1)]), Err(stranger.into()));
        Uids::<Runtime>::insert(1, &hotkey, 0);
        assert_ok!(commit(vec![raw(128), raw(1)]));
        let stored = CommitmentOf::<Runtime>::get(1, &hotkey).unwrap();
        assert_eq!((stored.block, stored.deposit), (5, 0));
        assert_eq!(stored.info.fields.to_vec(), [raw(128), raw(1)]);
        assert_eq!(LastCommitment::<Runtime>::get(1, &hotkey), Some(5));
        System::assert_last_event(
            Event::Commitment {
                netuid: 1,
                who: hotkey.clone(),
            }
            .into(),
        );
        // 3100 bytes per epoch: 129 are used, then each counts for at least 100.
        let mut more = 0;
        while commit(vec![raw(1)]).is_ok() {
            more += 1;
        }
        assert_eq!(more, 29);
        let full = Error::<Runtime>::SpaceLimitExceeded;
        assert_eq!(commit(vec![raw(1)]), Err(full.into()));
        crate::subtensor::SubnetEpochIndex::<Runtime>::insert(1, 1);
        assert_ok!(commit(vec![raw(1)]));
    });
}
