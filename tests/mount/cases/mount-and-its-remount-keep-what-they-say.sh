# CASE: mount(8) gives suid and dev to root's stores only; a remount changes what it says, keeps the rest, or refuses
# MOUNT: none
# NEEDS: root unshare setpriv findmnt setfattr
. "$TFS_LIB"

# mount(8) looks for its helpers in /sbin only, reads /etc/fstab and writes /run/mount: in a mount namespace of
# our own these are ours.
if [ -z "${INSIDE-}" ]; then
    chmod 755 "$WORK"
    INSIDE=1 exec unshare --mount --propagation private bash -eu "$0"
fi
installed=$WORK/installed
mkdir -p "$installed/sbin" "$installed/bin" "$WORK/real" "$WORK/sbin" "$WORK/run"
cp "$(dirname "$TFS_LIB")"/../../packaging/*mount.fuse.tensorfs "$installed/sbin"
ln -s "$TENSORFS" "$installed/bin/tensorfs"
mount --bind /usr/sbin "$WORK/real"
ln -s "$WORK"/real/* "$WORK/sbin"
for helper in mount umount; do
    rm -f "$WORK/sbin/$helper.fuse.tensorfs"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$installed/sbin/$helper.fuse.tensorfs" >"$WORK/sbin/$helper.fuse.tensorfs"
    chmod +x "$WORK/sbin/$helper.fuse.tensorfs"
done
touch "$WORK/fstab"
[ ! -d /run/mount ] || mount --bind "$WORK/run" /run/mount
mount --bind "$WORK/fstab" /etc/fstab
mount --bind "$WORK/sbin" /usr/sbin

flags() {
    findmnt --noheadings --first-only --output VFS-OPTIONS --mountpoint "$MNT"
}
# has WANTED|-UNWANTED...: the mount's flags.
has() {
    local flag
    for flag in "$@"; do
        case ,$(flags), in
        *,"${flag#-}",*) [ "$flag" = "${flag#-}" ] || fail "$flag: $(flags)" ;;
        *) [ "$flag" != "${flag#-}" ] || fail "no $flag: $(flags)" ;;
        esac
    done
}
umount_all() {
    umount "$MNT"
    wait_for 60 flock --nonblock "$STORE" true
}

# Each way that mount(8) can be told; suid and dev it does not pass on.
for given in "" suid,dev defaults; do
    mount -t fuse.tensorfs ${given:+-o "$given"} "$STORE" "$MNT"
    has -nosuid -nodev
    umount_all
done
mount -t fuse.tensorfs -o nosuid,noexec "$STORE" "$MNT"
has nosuid noexec -nodev
umount_all
mount -t fuse.tensorfs -o users "$STORE" "$MNT"
has nosuid nodev noexec
umount_all

# Somebody else's store may hold any setuid program.
chown daemon "$STORE"
mount -t fuse.tensorfs -o suid,dev "$STORE" "$MNT" 2>"$WORK/said"
has nosuid nodev
grep -q "nosuid,nodev, for others than root can change '$STORE'" "$WORK/said" || fail "said: $(cat "$WORK/said")"
umount_all
mount -t fuse.tensorfs -o nosuid,nodev "$STORE" "$MNT" 2>"$WORK/said"
[ ! -s "$WORK/said" ] || fail "said: $(cat "$WORK/said")"
umount_all
chown root "$STORE"

# A remount without a line in fstab: mount(8) hands on all that is there, and what is changed.
"$TENSORFS" --memory=256M "$STORE" "$MNT"
has nosuid nodev -noatime
echo data >"$MNT/file"
mount -o remount,noatime "$MNT"
has nosuid nodev noatime
atime=$(stat -c %x "$MNT/file")
cat "$MNT/file" >/dev/null
control drop-caches
expect_equal "$atime" "$(stat -c %x "$MNT/file")" "the access time after remount,noatime"
mount -o remount,ro,noexec "$MNT"
has ro nosuid nodev noexec noatime
expect_fail "Read-only" touch "$MNT/new"
mount -o remount,rw,exec,atime "$MNT"
has rw nosuid nodev -noexec -noatime
cat "$MNT/file" >/dev/null
control drop-caches
[ "$atime" != "$(stat -c %x "$MNT/file")" ] || fail "the access time did not move after remount,atime"
mount -o remount,suid,dev "$MNT"
has -nosuid -nodev
umount_all

# 'status' tells the flags as they are, whoever changed them.
tells() {
    local flag
    for flag in "$@"; do
        if [ "$flag" = "${flag#-}" ]; then
            "$TENSORFSCTL" status "$MNT" | grep -q "[ ,]$flag=true" || fail "status does not tell $flag"
        else
            "$TENSORFSCTL" status "$MNT" | grep -q "[ ,]${flag#-}=" && fail "status tells ${flag#-}"
        fi
    done
    true
}
"$TENSORFS" "$STORE" "$MNT"
tells -ro -suid -dev -noexec -noatime
mount -o remount,ro,suid,noexec "$MNT"
tells ro suid -dev noexec -noatime
mount -i -o remount,rw,nosuid,exec,dev "$MNT"
tells -ro -suid dev -noexec
touch "$MNT/is-writable"
umount_all
"$TENSORFS" -o ro "$STORE" "$MNT"
tells ro
mount -i -o remount,rw "$MNT" # the kernel's flag only: the store was opened for reading
tells ro
expect_fail "Read-only" touch "$MNT/new"
umount_all

# With one: its options come too, and nosuid and nodev, which it does not name, stay.
echo "$STORE $MNT fuse.tensorfs memory=256M,commit_interval=5,nofail,x-systemd.automount 0 0" >"$WORK/fstab"
"$TENSORFS" --memory=256M "$STORE" "$MNT"
mount -o remount,noatime "$MNT" 2>"$WORK/said"
has nosuid nodev noatime
grep -q "'$MNT' stays nosuid nodev:" "$WORK/said" || fail "said: $(cat "$WORK/said")"
mount -o remount,nosuid,nodev,relatime "$MNT" 2>"$WORK/said"
has nosuid nodev noatime
grep -q "'$MNT' stays noatime:" "$WORK/said" || fail "said: $(cat "$WORK/said")"

# What only a new mount can have is refused by name, and nothing is changed.
refuses() {
    local before
    before=$(flags)
    expect_fail "$1" mount -o "remount,ro,$2" "$MNT"
    expect_equal "$before" "$(flags)" "the flags after a refused remount"
}
refuses "option commit_interval cannot be changed while '$MNT' is mounted; it is '5'" commit_interval=9
refuses "option memory cannot be changed while '$MNT' is mounted; it is '256M'" memory=1G
refuses "option compression cannot be changed while '$MNT' is mounted; it is 'auto'" compression=none
refuses "option allow_other cannot be changed while '$MNT' is mounted" allow_other
refuses "option sync cannot be changed" sync
refuses "option nodirect cannot be changed" nodirect
refuses "unknown option 'fast'" fast
touch "$MNT/writable"
umount_all

# As the fstab line says it, and again.
mount "$MNT"
has -nosuid -nodev
mount -o remount,noatime "$MNT"
mount -o remount,memory=256M "$MNT"
has -nosuid -nodev
umount_all

# A mount that is none of ours, or is gone, is told.
expect_fail "is no mount of tensorfs" "$TENSORFS" -o remount,ro "$STORE" "$MNT"
expect_fail "remounts only" "$TENSORFS" -o user_id=0 "$STORE" "$MNT"
