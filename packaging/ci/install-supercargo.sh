#!/bin/sh
# Installs supercargo in a CI job, from the tarball of a release: sh ci/install-supercargo.sh [DIRECTORY]
set -eu
: "${SUPERCARGO_TARBALL:?set it to the URL of supercargo-VERSION-HOST.tar.gz}"
: "${SUPERCARGO_SHA256:?set it to the checksum of that file, which SHA256SUMS has}"
directory=${1:-$HOME/.local}

# A cache may have restored it.
if [ "$(cat "$directory/share/supercargo.sha256" 2>/dev/null)" != "$SUPERCARGO_SHA256" ]; then
    tarball=$(mktemp)
    trap 'rm -f "$tarball"' EXIT
    curl -sSfL --retry 3 -o "$tarball" "$SUPERCARGO_TARBALL"
    echo "$SUPERCARGO_SHA256  $tarball" | sha256sum --check --quiet
    mkdir -p "$directory/share"
    tar -C "$directory" --strip-components=1 -xzf "$tarball"
    echo "$SUPERCARGO_SHA256" >"$directory/share/supercargo.sha256"
fi
if [ -n "${GITHUB_PATH:-}" ]; then echo "$directory/bin" >>"$GITHUB_PATH"; fi
"$directory/bin/supercargo" --version
