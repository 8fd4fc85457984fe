#!/bin/bash
# Runs one of mount-examples/ on a mount.
#
# usage: examples.sh TENSORFS SCRIPT.py       mount, run it there, mount again, see its files, unmount
#        examples.sh TENSORFS quickstart      the whole quick start; it leaves nothing behind
#        examples.sh TENSORFS helper          through mount(8) and its helper, root only
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "$1")
example=$2
if ! [ -r /dev/fuse ] || ! [ -w /dev/fuse ]; then
    echo "skip: /dev/fuse is missing or not for this user"
    exit 77
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/tensorfs-example.XXXXXX")
mkdir "$folder/mnt"
clean_up()
{
    ! mountpoint --quiet "$folder/mnt" || unmount_store || fusermount3 -u -z "$folder/mnt"
    rm -rf "$folder"
}
trap clean_up EXIT

fail()
{
    echo "examples.sh: $*" >&2
    exit 1
}

mount_store()
{
    "$program" "$folder/store" "$folder/mnt"
}

# Returns when the daemon is done with the store.
unmount_store()
{
    packaging/umount.fuse.tensorfs "$folder/mnt"
}

# The checksums of all files below the mountpoint.
sums()
{
    (cd "$folder/mnt" && find . -type f -print0 | sort -z | xargs -0 --no-run-if-empty sha256sum)
}

run_script()
{
    local python=/usr/bin/python3 status=0
    [ ! -x build/venv/bin/python ] || python=build/venv/bin/python
    mount_store
    "$python" -B "mount-examples/$example" "$folder/mnt" || status=$?
    [ "$status" -eq 0 ] || exit "$status"
    sums >"$folder/before"
    [ -s "$folder/before" ] || fail "$example left no file"
    unmount_store
    mount_store
    sums >"$folder/after"
    cmp "$folder/before" "$folder/after" || fail "the files changed over a remount"
    unmount_store
}

run_quickstart()
{
    mkdir "$folder/stores"
    mount-examples/quickstart.sh --program "$program" --size 32 --store-in "$folder/stores" "$folder/mnt/new" 2>&1 |
        tee "$folder/output"
    grep -q 'identical, every byte' "$folder/output" || fail "the quick start did not compare"
    [ -z "$(find "$folder/stores" "$folder/mnt" -mindepth 1)" ] || fail "something was left behind"
    ! grep -q "$folder" /proc/mounts || fail "something is still mounted"
}

run_helper()
{
    [ "$(id -u)" -eq 0 ] || { echo "skip: mount(8) is for root" && exit 77; }
    # The helper finds the program beside itself, as when installed.
    mkdir "$folder/bin" "$folder/sbin"
    ln -s "$program" "$folder/bin/tensorfs"
    cp packaging/mount.fuse.tensorfs "$folder/sbin"
    "$folder/sbin/mount.fuse.tensorfs" "$folder/store" "$folder/mnt" -o rw,nofail,noatime,x-systemd.automount
    grep " $folder/mnt fuse.tensorfs " /proc/mounts || fail "not mounted as fuse.tensorfs"
    echo text >"$folder/mnt/file"
    "$folder/sbin/mount.fuse.tensorfs" "$folder/store" "$folder/mnt" -o remount,ro
    ! touch "$folder/mnt/file" 2>/dev/null || fail "remount,ro changed nothing"
    "$folder/sbin/mount.fuse.tensorfs" "$folder/store" "$folder/mnt" -o remount,rw
    touch "$folder/mnt/file"
    packaging/umount.fuse.tensorfs "$folder/mnt"
    "$folder/sbin/mount.fuse.tensorfs" "$folder/store" "$folder/mnt" -o ro
    [ "$(cat "$folder/mnt/file")" = text ] || fail "the file is gone"
    ! touch "$folder/mnt/other" 2>/dev/null || fail "a read-only mount was written to"
    umount "$folder/mnt"
}

case $example in
quickstart) run_quickstart ;;
helper) run_helper ;;
*) run_script ;;
esac
