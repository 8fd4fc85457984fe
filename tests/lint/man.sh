#!/bin/sh
# Every man page renders without a warning and has the sections that a reader looks for.
set -eu
cd "$(dirname "$0")/../.."

man --version >/dev/null 2>&1 || { echo "skip: no man here" && exit 77; }

status=0
for page in docs/man/*.[1-8]; do
    # A minimal Debian has `man` diverted to a notice that pages were not installed: -l still reads files.
    warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || { echo "$page: $warnings" && status=1; }
    for section in NAME SYNOPSIS DESCRIPTION 'SEE ALSO'; do
        grep -q "^\.SH \"\{0,1\}$section" "$page" || { echo "$page: no section $section" && status=1; }
    done
done
exit "$status"
