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
        (
            134,
            Data::TimelockEncrypted {
                encrypted: vec![5; 1_024].try_into().unwrap(),
                reveal_round: 7,
            },
        ),
        (135, Data::ResetBondsFlag),
        (136, big),
    ] {
        let encoded = field.encode();
        assert_eq!(encoded[0], tag);
        assert_eq!(Data::decode(&mut &encoded[..]), Ok(field));
    }
    assert!(Data::decode(&mut &[137_u8, 0, 0][..]).is_err());
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

#[test]
fn a_timelocked_field_opens_when_its_round_is_known() {
    use frame_support::traits::Hooks;
    let storage = RuntimeGenesisConfig::default().build_storage().unwrap();
    TestExternalities::new(storage).execute_with(|| {
        System::set_block_number(5);
        let hotkey = AccountId32::new([4; 32]);
        Uids::<Runtime>::insert(1, &hotkey, 0);
        let sealed = crate::drand::tests::sdk_commit();
        let fields = vec![
            raw(3),
            Data::TimelockEncrypted {
                encrypted: sealed.clone().try_into().unwrap(),
                reveal_round: 1_000,
            },
            Data::TimelockEncrypted {
                encrypted: sealed.try_into().unwrap(),
                reveal_round: 1_001,
            },
        ];
        let info = CommitmentInfo {
            fields: fields.clone().try_into().unwrap(),
        };
        let origin = RuntimeOrigin::signed(hotkey.clone());
        assert_ok!(Commitments::set_commitment(origin, 1, Box::new(info)));
        System::assert_last_event(
            Event::TimelockCommitment {
                netuid: 1,
                who: hotkey.clone(),
                reveal_round: 1_000,
            }
            .into(),
        );
        Commitments::on_initialize(6);
        assert_eq!(Commitments::awaited_rounds(), [1_000, 1_001].into());
        assert!(RevealedCommitments::<Runtime>::get(1, &hotkey).is_none());

        let pulse = crate::drand::Pulse::new(1_000, &crate::drand::tests::signature_1000());
        crate::drand::Pulses::<Runtime>::insert(1_000, pulse);
        System::set_block_number(7);
        Commitments::on_initialize(7);
        let revealed = RevealedCommitments::<Runtime>::get(1, &hotkey).unwrap();
        assert_eq!((revealed.len(), revealed[0].1), (1, 7));
        assert_eq!(revealed[0].0[1..33], [20; 32]);
        let left = CommitmentOf::<Runtime>::get(1, &hotkey).unwrap();
        assert_eq!(left.info.fields.to_vec(), [raw(3), fields[2].clone()]);
        assert_eq!(Commitments::awaited_rounds(), [1_001].into());

        // A signature that opens nothing empties the field all the same.
        let other = crate::drand::Pulse::new(1_001, &[1]);
        crate::drand::Pulses::<Runtime>::insert(1_001, other);
        Commitments::on_initialize(8);
        assert!(TimelockedIndex::<Runtime>::get().is_empty());
        let left = CommitmentOf::<Runtime>::get(1, &hotkey).unwrap();
        assert_eq!(left.info.fields.to_vec(), [raw(3)]);
    });
}
