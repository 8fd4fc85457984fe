#!/bin/sh
# clang-tidy, with clang's own warnings and its check of the locking annotations, over C sources that a build
# folder compiles: those of what is installed, with --all those of tests and benches too, or those given.
#
# usage: tidy.sh [--all] BUILD_DIR [FILE...]
set -eu

usage="usage: tidy.sh [--all] BUILD_DIR [FILE...]"
folders='(control|formats|fs|gpu|store|tools)'
if [ "${1:-}" = --all ]; then
    folders='[a-z]*'
    shift
fi
[ $# -ge 1 ] || { echo "$usage" >&2 && exit 2; }
command -v clang-tidy-14 >/dev/null || { echo "skip: no clang-tidy 14 here" && exit 77; }
build=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046 # our file names have no spaces
    set -- $(sed -nE "s#^ *\"file\": \"($root/$folders/.*\.c)\".*#\1#p" "$build/compile_commands.json" | sort -u)
fi
[ $# -gt 0 ] || { echo "no sources in $build" && exit 1; }

printf '%s\0' "$@" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 -p "$build" --quiet --extra-arg=-Wthread-safety 2>/dev/null
echo "$# sources checked"
