#!/bin/bash
# The programs are linked and compiled so that a bug is harder to use: read from the files themselves, for a
# flag that a compiler drops, or a target that does not get it, shows nowhere else.
#
# usage: hardening.sh PROGRAM...
set -euo pipefail

command -v readelf >/dev/null || { echo "needs readelf (package binutils)" && exit 77; }
status=0

# wants PROGRAM WHAT TEXT REGEX: TEXT has a line that matches.
wants() {
    grep -qE -- "$4" <<<"$3" && return
    echo "$1: $2"
    status=1
}

for program in "$@"; do
    header=$(readelf -hW "$program")
    segments=$(readelf -lW "$program")
    dynamic=$(readelf -dW "$program")
    symbols=$(readelf --dyn-syms -W "$program")
    wants "$program" "its code is always at the same place (no PIE)" "$header" 'Type: +DYN'
    wants "$program" "its code is always at the same place (no PIE)" "$dynamic" 'FLAGS_1.* PIE'
    wants "$program" "its tables of addresses stay writable (no RELRO)" "$segments" 'GNU_RELRO'
    wants "$program" "its tables of addresses stay writable (lazy binding)" "$dynamic" 'FLAGS_1.* NOW'
    wants "$program" "its stack is executable" "$segments" 'GNU_STACK.* RW +0x'
    wants "$program" "its stack frames have no canary" "$symbols" ' __stack_chk_fail'
    wants "$program" "its copies and formats are not checked (no _FORTIFY_SOURCE)" "$symbols" \
        ' __(memcpy|snprintf|vsnprintf|fprintf)_chk'
    if grep -E ' RWE? +E| RWE ' <<<"$segments"; then
        echo "$program: has a segment that can be written and executed"
        status=1
    fi
done
[ "$#" -gt 0 ] || { echo "no programs were given" && exit 1; }
[ "$status" -ne 0 ] || echo "$# programs are hardened"
exit "$status"
