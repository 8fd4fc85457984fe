#!/bin/sh
# Every C and CUDA source is as clang-format leaves it. Another major version formats differently: skip.
set -eu
cd "$(dirname "$0")/../.."

for clang_format in clang-format-14 clang-format ''; do
    [ -n "$clang_format" ] || { echo "skip: no clang-format 14 here" && exit 77; }
    "$clang_format" --version 2>/dev/null | grep -q 'version 14\.' && break
done

find bench control formats fs gpu store tests tools -type f \
    \( -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
    xargs -0 --no-run-if-empty "$clang_format" --dry-run -Werror
