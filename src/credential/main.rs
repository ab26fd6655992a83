//! The `cargo-credential-supercargo` program, which cargo starts.

fn main() {
    cargo_credential::main(supercargo::credential::Provider);
}
