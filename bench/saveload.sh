#!/usr/bin/env bash
# Durable save and cold load of 1 GiB of float data in 16 files: a directory against a mount whose store is in it.
#
#     bench/saveload.sh DIR [--runs N] [--kind mixed|bf16|fp32|random] [--threads N] [--files N] [--file-mib N] [OPTION=VALUE ...]
#
# Runs alternate: native, then each mount (compression none, auto, zstd:1). Cold means: remounted, and as root the
# kernel's caches dropped. Prints each run, then medians with their range, and the ratios to the native directory.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
build=${TFS_BUILD:-$here/build/release}
runs=3 kind=mixed threads=1 files=16 file_mib=64 options=
case ${1:-} in
-h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 0 ;;
'' | -*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
dir=$1
shift
while [ $# -gt 0 ]; do
    case $1 in
    --runs) runs=$2; shift ;;
    --kind) kind=$2; shift ;;
    --threads) threads=$2; shift ;;
    --files) files=$2; shift ;;
    --file-mib) file_mib=$2; shift ;;
    *=*) options=$options,$1 ;;
    *) echo "saveload.sh: unknown argument '$1'" >&2; exit 2 ;;
    esac
    shift
done
[ -x "$build/fs/tensorfs" ] && [ -x "$build/bench/saveload/bench_saveload" ] || {
    cmake -S "$here" --preset release >/dev/null
    cmake --build "$here/build/release" --target tensorfs bench_saveload >/dev/null
}
tensorfs=$build/fs/tensorfs
saveload=$build/bench/saveload/bench_saveload
work=$(mktemp -d "$dir/saveload.XXXXXX")
mnt=$work/mnt
mkdir "$mnt" "$work/native"

unmount() {
    mountpoint -q "$mnt" || return 0
    "$here/packaging/umount.fuse.tensorfs" "$mnt" # waits for the daemon
}
clean_up() {
    unmount || fusermount3 -uz "$mnt" || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

drop_caches() {
    sync
    if [ "$(id -u)" = 0 ]; then echo 3 >/proc/sys/vm/drop_caches; fi
}
mount_store() { # CODEC
    "$tensorfs" -o "compression=$1$options" "$work/store-$1" "$mnt" >/dev/null
}
record() { # NAME SECONDS BYTES
    echo "$1 $(awk -v s="$2" -v b="$3" 'BEGIN { printf "%.3f", b / s / 1e9 }')" | tee -a "$work/results"
}
run_native() {
    rm -f "$work"/native/*
    record "save native" $("$saveload" save "$work/native" "$files" "$file_mib" "$kind" "$threads")
    drop_caches
    record "load native" $("$saveload" load "$work/native" "$files" "$file_mib" "$kind" "$threads")
    rm -f "$work"/native/*
}
run_mount() { # CODEC
    mount_store "$1"
    record "save $1" $("$saveload" save "$mnt" "$files" "$file_mib" "$kind" "$threads")
    unmount
    drop_caches
    mount_store "$1"
    record "load $1" $("$saveload" load "$mnt" "$files" "$file_mib" "$kind" "$threads")
    rm -f "$mnt"/*
    unmount
    du -sk "$work/store-$1" >/dev/null
    rm -rf "$work/store-$1"
}

echo "# $((files * file_mib)) MiB of $kind in $files files, $threads thread(s), $runs runs; GB/s"
for ((i = 0; i < runs; i++)); do
    run_native
    for codec in none auto zstd:1; do run_mount $codec; done
done
sort "$work/results" | awk '
    { key = $1 " " $2; n[key]++; value[key, n[key]] = $3 }
    END {
        for (key in n) {
            count = n[key]
            split("", s)
            for (i = 1; i <= count; i++) s[i] = value[key, i]
            for (i = 1; i <= count; i++) for (j = i + 1; j <= count; j++) if (s[j] < s[i]) { t = s[i]; s[i] = s[j]; s[j] = t }
            median[key] = s[int((count + 1) / 2)]; low[key] = s[1]; high[key] = s[count]
        }
        printf "%-6s %-8s %8s %17s %16s\n", "", "", "median", "range", "ratio to native"
        split("save load", what); split("native none auto zstd:1", who)
        for (i = 1; i <= 2; i++) for (j = 1; j <= 4; j++) {
            key = what[i] " " who[j]
            printf "%-6s %-8s %8.3f   [%.3f .. %.3f] %12.2f\n", what[i], who[j], median[key], low[key], high[key], median[key] / median[what[i] " native"]
        }
    }'
