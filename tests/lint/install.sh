#!/bin/bash
# cmake --install puts exactly the files that packagers and users expect, and they work from where they are.
#
# usage: install.sh BUILD_DIR PROGRAM...     the programs that this build makes
set -euo pipefail

build=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/usr" >"$folder/log"

expected() {
    for program in "$@"; do
        echo "bin/$program"
    done
    echo lib/systemd/system/tensorfs@.service
    echo sbin/mount.fuse.tensorfs
    echo sbin/umount.fuse.tensorfs
    echo share/bash-completion/completions/tensorfs
    echo share/bash-completion/completions/tensorfs-bench
    echo share/bash-completion/completions/tensorfsctl
    printf 'share/doc/tensorfs/%s\n' CHANGELOG.md LICENSE README.md
    (cd docs/man && for page in *.[1-8]; do echo "share/man/man${page##*.}/$page"; done)
}

diff -u --label expected --label installed \
    <(expected "$@" | LC_ALL=C sort) \
    <(cd "$folder/usr" && find . -type f -printf '%P\n' | LC_ALL=C sort)

for program in "$@"; do
    "$folder/usr/bin/$program" --version >/dev/null || { echo "$program --version fails" && exit 1; }
    if readelf -d "$folder/usr/bin/$program" | grep -E 'R(UN)?PATH'; then
        echo "$program looks for libraries in the build folder" && exit 1
    fi
done
[ ! -x "$folder/usr/bin/tensorfs" ] || "$folder/usr/sbin/mount.fuse.tensorfs" /store /mnt -f -o rw
echo "$(expected "$@" | wc -l) files installed"
