//! Development tasks of the project, run as `cargo xtask`.

pub mod admission;
pub mod mutate;
