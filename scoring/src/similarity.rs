//! Tell whose model is whose: identical artifacts, functional copies, and what honest siblings look like.
//!
//! Students of one teacher resemble each other, so resemblance alone proves nothing. Every later model is held against its
//! nearest earlier one, by what it says on decision positions ([`behaviour`]) and by its weights ([`weights`]); how near
//! independently distilled siblings come is measured ([`null`]); [`copies`] turns both into a verdict with its error rate, and
//! [`newcomers`] into whose model a new checkpoint goes on with.

pub mod behaviour;
pub mod copies;
pub mod exact;
pub mod innovation;
pub mod nearest;
pub mod newcomers;
pub mod null;
pub mod weights;
