#!/bin/sh
# Fetches the crates of crates.io that Cargo.lock names through the registry, which keeps them: sh ci/warm.sh
set -eu
: "${REGISTRY:?set it to the public URL of the registry}"
# cargo requests nothing that it has already.
CARGO_HOME=$(mktemp -d)
export CARGO_HOME
trap 'rm -rf "$CARGO_HOME"' EXIT
cargo fetch --locked \
    --config 'source.crates-io.replace-with = "acme-crates-io"' \
    --config "source.acme-crates-io.registry = \"sparse+$REGISTRY/upstream/crates-io/index/\""
