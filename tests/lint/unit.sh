#!/bin/bash
# systemd finds nothing wrong in the unit template, and it is open to no more than the man page says.
#
# usage: unit.sh TENSORFS
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v systemd-analyze >/dev/null || { echo "needs systemd-analyze (package systemd)" && exit 77; }
tensorfs=$1
unit=packaging/tensorfs@.service
page=docs/man/tensorfs.8

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# It looks for programs where a service would, and ours is not installed here.
[ "$(grep -cE '^Exec[A-Za-z]*=-?tensorfs ' "$unit")" -eq 1 ] || { echo "$unit does not start tensorfs" && exit 1; }
sed -E "s|^(Exec[A-Za-z]*=-?)tensorfs |\1$tensorfs |" "$unit" >"$folder/tensorfs@.service"
# A key that it does not know is a warning, but no failure.
said=$(systemd-analyze verify --man=no --generators=no "$folder/tensorfs@.service" 2>&1) ||
    said="exit status $? ${said:-}"
[ -z "$said" ] || { echo "$said" && exit 1; }

# "exposure level 4.1" of the page, in tenths.
limit=$(sed -n 's/.*exposure level \([0-9]*\)\.\([0-9]\).*/\1\2/p' "$page")
[ -n "$limit" ] || { echo "$page names no exposure level" && exit 1; }
if ! said=$(systemd-analyze security --offline=true --no-pager --threshold="$limit" "$unit"); then
    grep '^✗' <<<"$said"
    grep 'Overall' <<<"$said"
    echo "the man page says at most $((limit / 10)).$((limit % 10))"
    exit 1
fi
grep 'Overall' <<<"$said"
