#!/bin/sh
# Nothing that shellcheck warns of is in any shell script of the tree.
set -eu
cd "$(dirname "$0")/../.."

command -v shellcheck >/dev/null || { echo "skip: no shellcheck here" && exit 77; }

# Scripts without an ending (.ci/run, the mount helper, the completion) are known by their first line.
find .ci bench gpu mount-examples packaging tests tools -type f ! -path '*/corpus/*' -print0 |
    xargs -0 grep -lIZE -m 1 '^#!/bin/(ba)?sh|^# shellcheck shell=' |
    xargs -0 shellcheck --external-sources
