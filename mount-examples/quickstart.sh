#!/bin/bash
# Command 1: all the set-up and the main job. Leaves nothing behind but the build.
#
# Installs what is missing, builds a release, mounts, saves checkpoints, unmounts, mounts again, loads,
# compares byte for byte, and says how long it took and how to go on.
set -euo pipefail

usage()
{
    cat <<'END'
Usage: mount-examples/quickstart.sh [OPTIONS] [MOUNTPOINT]

  MOUNTPOINT         an empty directory; made, and removed again, when absent
                     (default: a temporary one)
  --size MB          size of each of the two or three checkpoints (default: 128)
  --store-in DIR     where the temporary store is made (default: build/)
  --program FILE     use this tensorfs; install and build nothing
  -h, --help         this text

Options of tensorfs itself can be given in TENSORFS_OPTIONS, for example
  TENSORFS_OPTIONS='--compression=zstd:1' mount-examples/quickstart.sh
END
}

fail()
{
    echo "quickstart: $*" >&2
    exit 1
}

fail_usage()
{
    echo "quickstart: $*" >&2
    usage >&2
    exit 2
}

build()
{
    tools/dev/setup.sh build
    echo "building a release in build/release"
    cmake --preset release --log-level=WARNING >"$work/cmake.log" || { cat "$work/cmake.log" && fail "cmake failed"; }
    cmake --build --preset release --target programs -- --quiet
    program=$PWD/build/release/fs/tensorfs
}

check_machine()
{
    [ -e /dev/fuse ] || fail "there is no /dev/fuse: try 'modprobe fuse'; a container needs --device /dev/fuse"
    local free_mb
    free_mb=$(df --output=avail --block-size=1M "$work" | tail -n 1)
    [ "$free_mb" -gt $((size_mb * 4)) ] ||
        fail "$((size_mb * 4)) MB wanted for the store in $work, $free_mb MB are free; try --size or --store-in"
}

mount_store()
{
    mounted=1 # also when a Ctrl-C comes in the middle of it
    # shellcheck disable=SC2086 # a list of options
    "$program" ${TENSORFS_OPTIONS-} "$work/store" "$mountpoint" || { mounted=0 && fail "not mounted"; }
}

unmount_store()
{
    packaging/umount.fuse.tensorfs "$mountpoint" # waits until all is durable; works for every user
    mounted=0
}

clean_up()
{
    trap '' INT TERM # once is enough
    if [ "$mounted" -eq 1 ]; then
        packaging/umount.fuse.tensorfs "$mountpoint" || fusermount3 -u -z "$mountpoint" ||
            echo "quickstart: '$mountpoint' is still mounted" >&2
    fi
    [ -z "$made_mountpoint" ] || rmdir "$made_mountpoint" || true
    [ -z "$work" ] || rm -rf "$work"
}

save_and_load()
{
    local bytes_logical bytes_stored

    mount_store
    /usr/bin/python3 -B mount-examples/quickstart.py save "$mountpoint" "$size_mb"
    unmount_store
    echo
    echo "unmounted, mounting again"
    mount_store
    bytes_stored=$(du --summarize --block-size=1 "$work/store" | cut -f 1)
    bytes_logical=$(find "$mountpoint" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
    /usr/bin/python3 -B mount-examples/quickstart.py load "$mountpoint" "$size_mb"
    unmount_store
    echo
    awk -v logical="$bytes_logical" -v stored="$bytes_stored" 'BEGIN {
        printf "size    %.1f MB in files, %.1f MB on disk: %.1f %%\n", logical / 1e6, stored / 1e6,
            100 * stored / logical }'
    echo "store   $work/store, removed now"
}

say_how_to_go_on()
{
    cat <<END

To mount one for good:
  mkdir -p ~/ckpt && $program ~/ckpt-store ~/ckpt
  fusermount3 -u ~/ckpt
To install the programs, the man pages and the mount helper:
  sudo cmake --install build/release --prefix /usr
  mount-examples/fstab and mount-examples/mnt-ckpt.mount have it mounted at boot
END
}

mountpoint=
size_mb=128
store_in=
program=
while [ $# -gt 0 ]; do
    case $1 in
    --size | --store-in | --program)
        [ $# -gt 1 ] || fail_usage "$1 needs a value"
        case $1 in
        --size) size_mb=$2 ;;
        --store-in) store_in=$(realpath "$2") ;;
        --program) program=$(realpath "$2") ;;
        esac
        shift
        ;;
    -h | --help) usage && exit 0 ;;
    -*) fail_usage "unknown option '$1'" ;;
    *)
        [ -z "$mountpoint" ] || fail_usage "one mountpoint, not '$1' too"
        mountpoint=$(realpath -m "$1")
        ;;
    esac
    shift
done
[[ $size_mb =~ ^[1-9][0-9]{0,4}$ ]] || fail_usage "--size wants a number of megabytes, not '$size_mb'"

work=
mounted=0
made_mountpoint=
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$(dirname "$0")/.."
mkdir -p build
work=$(mktemp -d "${store_in:-$PWD/build}/quickstart.XXXXXX")
[ -n "$program" ] || build
check_machine
mountpoint=${mountpoint:-$work/mnt}
if [ ! -e "$mountpoint" ]; then
    mkdir "$mountpoint"
    made_mountpoint=$mountpoint
fi
save_and_load
say_how_to_go_on
