# Everyday commands. `cargo test --workspace` is the test command; `.ci/run` runs all checks of a commit.

# Print this list.
default:
    @just --list

# Run the sidecar with the embedded RTM.
serve *args:
    cargo run -- serve {{args}}

# Run all tests.
test *args:
    cargo test --workspace {{args}}

# Run the examples of the tables.
check *args:
    cargo run -q -- check {{args}}

# Print the translation of a frame.
explain frame:
    cargo run -q -- explain '{{frame}}'

# Format, and run the linter with warnings as errors.
lint:
    cargo fmt
    cargo clippy --workspace --all-targets -- -D warnings

# Update generated documents and documented output.
docs:
    UPDATE_DOCS=1 cargo test --test it -- documents:: guide::
    cargo run -q -- conformance -o docs/conformance.md

# Run all checks of a commit, as CI does.
ci:
    .ci/run
