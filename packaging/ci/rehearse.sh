#!/bin/sh
# Publishes the workspace in a temporary registry, and compiles a crate that depends on the crates which are named:
# supercargo with -- sh ci/rehearse.sh [CRATE...]
set -eu
# cargo refuses two names for one index.
unset CARGO_REGISTRIES_SUPERCARGO_INDEX CARGO_REGISTRIES_SUPERCARGO_TOKEN
export CARGO_REGISTRIES_ACME_INDEX="$SUPERCARGO_SPARSE_INDEX" CARGO_REGISTRIES_ACME_TOKEN="$SUPERCARGO_TOKEN"
cargo publish --workspace --registry acme

dependent=$(mktemp -d)
trap 'rm -rf "$dependent"' EXIT
cd "$dependent"
cargo init --quiet --lib --name dependent
for crate; do
    cargo add --quiet --registry acme "$crate"
done
cargo check
