#!/bin/sh
# Publishes the workspace as a trusted publisher, and then the documentation of the crates which are named:
# sh ci/release.sh [CRATE...]
set -eu
: "${REGISTRY:?set it to the public URL of the registry}"
tokens=$REGISTRY/api/v1/trusted_publishing/tokens

# Build scripts and macros of all dependencies run here, so before there is a token, and without what gets one.
if [ $# -gt 0 ]; then
    env -u ID_TOKEN -u ACTIONS_ID_TOKEN_REQUEST_URL -u ACTIONS_ID_TOKEN_REQUEST_TOKEN cargo doc --workspace --no-deps
fi

# GitHub Actions and Forgejo Actions. Other CI systems set ID_TOKEN.
if [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ]; then
    ID_TOKEN=$(printf 'Authorization: bearer %s' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
        curl -sS --fail -H @- "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=${REGISTRY#*://}" |
        sed -n 's/.*"value": *"\([^"]*\)".*/\1/p')
fi
: "${ID_TOKEN:?the job has no ID token: see its permissions}"

answer=$(printf '{"jwt":"%s"}' "$ID_TOKEN" | curl -sS --fail-with-body --data-binary @- "$tokens") || {
    printf '%s\n' "$answer" >&2          # why it was refused; only the answer of a success holds a secret
    exit 1
}
CARGO_REGISTRIES_ACME_TOKEN=$(printf '%s' "$answer" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
export CARGO_REGISTRIES_ACME_TOKEN
revoke() {
    printf 'Authorization: Bearer %s' "$CARGO_REGISTRIES_ACME_TOKEN" | curl -sS -X DELETE -H @- "$tokens" || true
}
trap revoke EXIT
trap 'exit 1' HUP INT TERM

# The job `rehearse` has compiled what is published; compiled here, build scripts would have the token.
unset ID_TOKEN ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN
cargo publish --workspace --no-verify --registry acme
for crate; do
    supercargo docs push --crate "$crate" --registry acme
done
