//! Who may set what, when and within which bounds.
