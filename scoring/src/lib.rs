//! Turn audited answers into weights.
