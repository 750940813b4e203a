#!/bin/sh
# Builds the seeded races in C into built/; with --check compares instead. See samples/c/build.sh.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec "$here/../../../samples/c/build.sh" "$@" "$here"
