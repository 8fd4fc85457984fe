#!/bin/bash
# The mount(8) helper hands store, mountpoint and options on, and mount(8)'s own flags to nobody.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/sbin"
cp packaging/mount.fuse.tensorfs "$folder/sbin"
printf '#!/bin/sh\nprintf "[%%s]" "$@"\n' >"$folder/bin/tensorfs"
printf '#!/bin/sh\nprintf "[%%s]" "$@" >"%s/mount"\n' "$folder" >"$folder/bin/mount"
chmod +x "$folder/bin/tensorfs" "$folder/bin/mount"
PATH=$folder/bin:$PATH

failures=0

# check WANTED ARGUMENT...: what tensorfs is started with, or the helper's one line when it refuses.
check()
{
    local wanted=$1 heard
    shift
    heard=$("$folder/sbin/mount.fuse.tensorfs" "$@" 2>&1) || heard+=" (exit $?)"
    [ "$heard" = "$wanted" ] && return
    echo "mount.fuse.tensorfs $*: wanted '$wanted', heard '$heard'"
    failures=$((failures + 1))
}

# Nobody but root can change /: a store that is to be made there is root's.
suid=
[ "$(id -u)" -ne 0 ] || suid=suid,dev
plain=${suid:+[-o][$suid]}
check "${plain}[--][/s][/m]" /s /m
check "[-o][${suid:+$suid,}rw,memory=1G][--][/s][/m]" /s /m -o rw,memory=1G
check '[-o][rw,nosuid,nodev][--][/s][/m]' /s /m -o rw,nosuid,nodev
check "[-o][${suid:+$suid,}nosuid][--][/s][/m]" /s /m -o nosuid
check "[-o][${suid:+$suid,}rw,ro][--][/s][/m]" /s /m -n -o rw -v -s -t fuse.tensorfs -o ro
check "[-o][${suid:+$suid,}fsname=a b][--][/s t][/m n]" '/s t' '/m n' -o 'fsname=a b'
check '' /s /m -f -o rw
check "mount.fuse.tensorfs: the store must be an absolute path, not 'none' (exit 1)" none /m
check 'mount.fuse.tensorfs: usage: mount.fuse.tensorfs STORE MOUNTPOINT [-sfnv] [-o OPTIONS] (exit 1)' /s
check "mount.fuse.tensorfs: unexpected argument 'more' (exit 1)" /s /m -o rw more
check 'mount.fuse.tensorfs: mounting in another namespace is not supported (exit 1)' /s /m -N 3

# mounted CALL: what mount(8) was called with since the last time.
mounted()
{
    [ "$(cat "$folder/mount")" = "$1" ] || { echo "mount: wanted '$1', heard '$(cat "$folder/mount")'" && exit 1; }
    rm -f "$folder/mount"
}

mounted '[-i][-f][-t][fuse.tensorfs][-o][uhelper=fuse.tensorfs][--][/s t][/m n]'
check '[-o][rw,remount,ro][--][/s][/m]' /s /m -o rw,remount,ro
check '' /s /m -f -o remount,ro
[ ! -e "$folder/mount" ] || { echo "a note was made of a remount" && exit 1; }

mv "$folder/bin/tensorfs" "$folder/tensorfs"
PATH=$folder:$PATH
check "${plain}[--][/s][/m]" /s /m

[ "$failures" -eq 0 ]
