//! Fuzz targets of sigbridge. Each file of `fuzz_targets/` calls one of the [`entries`].

pub mod entries;
