//! Define what every participant must agree on.
//!
//! Pure data and pure functions: no I/O, no clock, no ambient randomness. Every type that crosses the wire or the
//! chain encodes with SCALE, the field's own codec, and every collection in it is bounded by [`params::Limits`].

pub mod amounts;
pub mod announcement;
pub mod challenge;
pub mod commitment;
pub mod envelope;
pub mod ids;
pub mod merkle;
pub mod params;
pub mod position;
pub mod receipt;
pub mod response;
pub mod telemetry;
pub mod wire;

pub use amounts::Rao;
pub use announcement::Announcement;
pub use challenge::{Ask, DeltaQuery, Fetch};
pub use commitment::Commitment;
pub use envelope::{Signed, SigningContext};
pub use ids::{Account, BlockNumber, Digest, Epoch, Hotkey, NetUid, Round, Uid};
pub use params::SubnetSpec;
pub use receipt::Receipt;
pub use response::{Answer, DeltaOffer, Finish, Refusal};

/// Version of the peer-to-peer protocols; part of every signature and of every protocol name.
pub const PROTOCOL_VERSION: u16 = 3;
