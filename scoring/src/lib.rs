//! Turn audited answers into weights.

pub mod corpus;
pub mod task;
