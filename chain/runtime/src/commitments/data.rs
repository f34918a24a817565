//! One field of a commitment.

use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen, Output};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::{Path, Type, TypeInfo, build::Variants};

/// Longest plain field, in bytes.
const MAX_RAW: u8 = 128;
/// Longest field that can be read at once, in bytes.
const MAX_BIG_RAW: u32 = 512;
/// Longest ciphertext, in bytes.
const MAX_TIMELOCKED: u32 = 1_024;

/// A field: bytes, or a digest whose function the variant names.
///
/// Bytes of each length are a variant of their own on the wire (`Raw0` to `Raw128`), so a length costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, DecodeWithMemTracking)]
pub enum Data {
    /// Nothing.
    None,
    /// Up to 128 bytes.
    Raw(BoundedVec<u8, ConstU32<{ MAX_RAW as u32 }>>),
    /// A digest.
    BlakeTwo256([u8; 32]),
    /// A digest.
    Sha256([u8; 32]),
    /// A digest.
    Keccak256([u8; 32]),
    /// A digest.
    ShaThree256([u8; 32]),
    /// Bytes that a round of public randomness reveals.
    TimelockEncrypted {
        /// The ciphertext.
        encrypted: BoundedVec<u8, ConstU32<MAX_TIMELOCKED>>,
        /// The round.
        reveal_round: u64,
    },
    /// Asks for the bonds on the hotkey to be dissolved.
    ResetBondsFlag,
    /// Up to 512 bytes.
    BigRaw(BoundedVec<u8, ConstU32<MAX_BIG_RAW>>),
}

impl Data {
    /// Bytes that the field counts for.
    pub fn size(&self) -> u64 {
        match self {
            Self::None | Self::ResetBondsFlag => 0,
            Self::TimelockEncrypted { encrypted, .. } => encrypted.len() as u64,
            Self::Raw(bytes) => bytes.len() as u64,
            Self::BigRaw(bytes) => bytes.len() as u64,
            Self::BlakeTwo256(_) | Self::Sha256(_) | Self::Keccak256(_) | Self::ShaThree256(_) => {
                32
            }
        }
    }
}

impl Data {
    /// The round that opens the field, if it is timelocked.
    pub fn reveal_round(&self) -> Option<u64> {
        match self {
            Self::TimelockEncrypted { reveal_round, .. } => Some(*reveal_round),
            _ => None,
        }
    }
}

impl Encode for Data {
    fn encode_to<W: Output + ?Sized>(&self, out: &mut W) {
        match self {
            Self::None => out.push_byte(0),
            Self::Raw(bytes) => {
                // The bound keeps this at most 129.
                out.push_byte(bytes.len() as u8 + 1);
                out.write(bytes);
            }
            Self::BlakeTwo256(digest) => (130_u8, digest).encode_to(out),
            Self::Sha256(digest) => (131_u8, digest).encode_to(out),
            Self::Keccak256(digest) => (132_u8, digest).encode_to(out),
            Self::ShaThree256(digest) => (133_u8, digest).encode_to(out),
            Self::TimelockEncrypted {
                encrypted,
                reveal_round,
            } => (134_u8, encrypted, reveal_round).encode_to(out),
            Self::ResetBondsFlag => out.push_byte(135),
            Self::BigRaw(bytes) => (136_u8, bytes).encode_to(out),
        }
    }
}

impl Decode for Data {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Ok(match input.read_byte()? {
            0 => Self::None,
            tag @ 1..=129 => {
                let mut bytes = alloc::vec![0; usize::from(tag) - 1];
                input.read(&mut bytes)?;
                Self::Raw(
                    bytes
                        .try_into()
                        .map_err(|_| Error::from("more than 128 bytes"))?,
                )
            }
            130 => Self::BlakeTwo256(Decode::decode(input)?),
            131 => Self::Sha256(Decode::decode(input)?),
            132 => Self::Keccak256(Decode::decode(input)?),
            133 => Self::ShaThree256(Decode::decode(input)?),
            134 => Self::TimelockEncrypted {
                encrypted: Decode::decode(input)?,
                reveal_round: Decode::decode(input)?,
            },
            135 => Self::ResetBondsFlag,
            136 => Self::BigRaw(Decode::decode(input)?),
            _ => return Err(Error::from("not a kind of commitment field")),
        })
    }
}

impl MaxEncodedLen for Data {
    fn max_encoded_len() -> usize {
        1 + BoundedVec::<u8, ConstU32<MAX_TIMELOCKED>>::max_encoded_len() + u64::max_encoded_len()
    }
}

impl TypeInfo for Data {
    type Identity = Self;

    fn type_info() -> Type {
        let mut variants = Variants::new().variant("None", |variant| variant.index(0));
        macro_rules! raw {
            ($($length:literal)*) => {$(
                variants = variants.variant(concat!("Raw", $length), |variant| {
                    variant.index($length + 1).fields(
                        scale_info::build::Fields::unnamed()
                            .field(|field| field.ty::<[u8; $length]>()),
                    )
                });
            )*};
        }
        raw!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
            61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89
            90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113
            114 115 116 117 118 119 120 121 122 123 124 125 126 127 128);
        for (index, name) in [
            (130, "BlakeTwo256"),
            (131, "Sha256"),
            (132, "Keccak256"),
            (133, "ShaThree256"),
        ] {
            variants = variants.variant(name, |variant| {
                variant.index(index).fields(
                    scale_info::build::Fields::unnamed().field(|field| field.ty::<[u8; 32]>()),
                )
            });
        }
        variants = variants.variant("TimelockEncrypted", |variant| {
            variant.index(134).fields(
                scale_info::build::Fields::named()
                    .field(|field| {
                        field
                            .ty::<BoundedVec<u8, ConstU32<MAX_TIMELOCKED>>>()
                            .name("encrypted")
                    })
                    .field(|field| field.ty::<u64>().name("reveal_round")),
            )
        });
        variants = variants.variant("ResetBondsFlag", |variant| variant.index(135));
        variants = variants.variant("BigRaw", |variant| {
            variant.index(136).fields(
                scale_info::build::Fields::unnamed()
                    .field(|field| field.ty::<BoundedVec<u8, ConstU32<MAX_BIG_RAW>>>()),
            )
        });
        Type::builder()
            .path(Path::new("Data", "pallet_commitments::types"))
            .variant(variants)
    }
}
