#!/bin/sh
# Builds the corpus' drivers in C and C++ into built/; with --check compares instead. See samples/c/build.sh.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec "$here/../../../samples/c/build.sh" "$@" "$here"
