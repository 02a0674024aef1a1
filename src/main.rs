//! The `sigbridge` binary.

fn main() {
    println!("Hello, world!");
}
