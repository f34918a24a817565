//! Turn audited answers into weights.

pub mod allocate;
pub mod attack;
pub mod collusion;
pub mod corpus;
pub mod correction;
pub mod evidence;
pub mod fidelity;
pub mod goodput;
pub mod grade;
pub mod ledger;
pub mod rank;
pub mod readiness;
pub mod round;
pub mod similarity;
pub mod simulation;
pub mod synthetic;
pub mod task;
pub mod transcript;
pub mod width;

pub use allocate::allocate;
