#!/bin/sh
# Writes the hashed lock files from pyproject.toml; run after changing a dependency. Needs uv.
set -eu
cd "$(dirname "$0")/.."
compile() {
    out=$1
    shift
    uv pip compile pyproject.toml "$@" --constraint requirements/constraints.in --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file "$out"
}
compile requirements/up.txt --extra gateway --extra console --extra train --extra edge
compile requirements/dev.txt --extra gateway --extra console --extra train --extra edge --extra postgres --extra dev
