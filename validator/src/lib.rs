//! Ask, audit, grade, and set weights.
