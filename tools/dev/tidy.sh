#!/bin/sh
# clang-tidy, with clang's own warnings and its check of the locking annotations, over every C source that a
# build folder compiles, or over those given.
#
# usage: tidy.sh BUILD_DIR [FILE...]
set -eu

[ $# -ge 1 ] || { echo "usage: tidy.sh BUILD_DIR [FILE...]" >&2 && exit 2; }
command -v clang-tidy-14 >/dev/null || { echo "skip: no clang-tidy 14 here" && exit 77; }
build=$1
shift
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046 # our file names have no spaces
    set -- $(sed -n 's/^ *"file": "\(.*\.c\)".*/\1/p' "$build/compile_commands.json" | sort -u)
fi
[ $# -gt 0 ] || { echo "no sources in $build" && exit 1; }

printf '%s\0' "$@" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 -p "$build" --quiet --extra-arg=-Wthread-safety 2>/dev/null
echo "$# sources checked"
