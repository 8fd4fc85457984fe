#!/bin/bash
# tensorfs@.service, as it is installed, keeps a file through stop, start, kill and restart under a real systemd,
# which boots in a container of systemd-nspawn from the Debian tree that TFS_SYSTEMD_TREE names.
#
# usage: unit_runs.sh BUILD_DIR WORK_DIR
set -euo pipefail

build=$1
work=$2

skip() {
    echo "$*"
    exit 77
}

[ "$(id -u)" -eq 0 ] || skip "needs root"
command -v systemd-nspawn >/dev/null || skip "needs systemd-nspawn (package systemd-container)"
[ -n "${TFS_SYSTEMD_TREE:-}" ] || skip "needs a Debian tree in TFS_SYSTEMD_TREE"
[ -x "$TFS_SYSTEMD_TREE/lib/systemd/systemd" ] || { echo "no systemd in '$TFS_SYSTEMD_TREE'" && exit 1; }

# All that is written goes over the tree, not into it.
clean_up() {
    ! mountpoint -q "$work/root" || umount "$work/root"
    rm -rf --one-file-system "$work"
}
clean_up
trap clean_up EXIT
mkdir -p "$work/root" "$work/upper" "$work/overlay"
mount -t overlay -o "lowerdir=$TFS_SYSTEMD_TREE,upperdir=$work/upper,workdir=$work/overlay" tensorfs-test "$work/root" ||
    skip "overlays cannot be mounted here"
cmake --install "$build" --prefix "$work/root/usr" >/dev/null

# Runs inside; each line of it must work.
cat >"$work/root/prove" <<'END'
#!/bin/bash
set -euxo pipefail
unit=tensorfs@mnt-ckpt.service
file=/mnt/ckpt/file

pid() {
    systemctl show -p MainPID --value "$unit"
}

systemctl start "$unit"
findmnt -t fuse.tensorfs /mnt/ckpt
[ "$(stat -c %a /var/lib/tensorfs/mnt-ckpt)" = 700 ]
head -c 20000000 /dev/urandom >"$file"
cp "$file" /root/copy

# What is in force, seen from outside: the four capabilities of the unit, no new ones, filtered system calls.
grep -x 'CapEff:.000000000020000e' "/proc/$(pid)/status"
grep -x 'NoNewPrivs:.1' "/proc/$(pid)/status"
grep -x 'Seccomp:.2' "/proc/$(pid)/status"

systemctl stop "$unit"
[ "$(systemctl show -p Result --value "$unit")" = success ]
! mountpoint -q /mnt/ckpt
systemctl start "$unit"
cmp "$file" /root/copy

killed=$(pid)
kill -9 "$killed"
for _ in $(seq 100); do
    [ "$(pid)" = "$killed" ] || [ "$(pid)" = 0 ] || ! systemctl -q is-active "$unit" || break
    sleep 0.2
done
[ "$(systemctl show -p NRestarts --value "$unit")" = 1 ]
cmp "$file" /root/copy
systemctl stop "$unit"
tensorfsctl check /var/lib/tensorfs/mnt-ckpt
echo PROVEN
END
cat >"$work/root/etc/systemd/system/prove.service" <<'END'
[Service]
Type=oneshot
ExecStart=/prove
StandardOutput=file:/proven
StandardError=inherit
ExecStopPost=systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
END
chmod +x "$work/root/prove"
systemctl --quiet --root="$work/root" enable prove.service 2>/dev/null

timeout --kill-after=10 300 systemd-nspawn --quiet --directory="$work/root" --register=no --keep-unit --boot \
    --bind=/dev/fuse --capability=all >"$work/console" 2>&1 </dev/null || true
if ! grep -qx PROVEN "$work/root/proven" 2>/dev/null; then
    tail -n 20 "$work/console"
    tail -n 40 "$work/root/proven"
    exit 1
fi
