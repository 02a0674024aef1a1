//! The `sigbridge` binary: parses the command line and hands over to the library.

use std::process::ExitCode;

/// Faster than the system's, and returns the memory of clients that have left (docs/rationale.md).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    sigbridge::cli::main()
}
