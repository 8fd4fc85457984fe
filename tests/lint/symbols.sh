#!/bin/bash
# No two of the libraries that a program is linked from define the same name: the linker would take the first
# without a word, and a call meant for the other would go there.
#
# usage: symbols.sh LIBRARY...
set -euo pipefail

command -v nm >/dev/null || { echo "needs nm (package binutils)" && exit 77; }
[ "$#" -gt 0 ] || { echo "no libraries were given" && exit 1; }

# A name in several files of one library is refused by the linker itself, or is meant to be (inline code of C++).
twice=$(for library in "$@"; do
    nm --defined-only --extern-only "$library" 2>/dev/null | awk 'NF == 3 && $2 ~ /^[A-TX-Z]$/ { print $3 }' | sort -u
done | sort | uniq -d)

for name in $twice; do
    echo "$name is defined in more than one of these:"
    nm -A --defined-only --extern-only "$@" 2>/dev/null | grep -E " $name\$" | sed 's/^/  /'
done
[ -z "$twice" ] || exit 1
echo "$# libraries define no name twice"
