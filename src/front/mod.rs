//! The fronts: what legacy clients see.

pub mod discovery;
