# CASE: what an ordinary user mounts and stores is for that user alone, without setuid and devices
# MOUNT: none
# NEEDS: root setpriv unshare fusermount3
. "$TFS_LIB"

owner=$(id -u nobody) # fusermount3 wants users with a name
stranger=$(id -u daemon)

# The rest runs in a mount namespace of its own, where everybody may open /dev/fuse as on a desktop.
if [ -z "${TFS_IN_NAMESPACE:-}" ]; then
    chmod 755 "$WORK"
    cp "$TENSORFS" "$WORK/tensorfs" # the build folder may be closed to others
    chmod 755 "$WORK/tensorfs"
    export TFS_IN_NAMESPACE=1
    exec unshare --mount --propagation private bash -eu "$0"
fi
mknod "$WORK/fuse" c 10 229 2>/dev/null || skip "no device nodes can be made here"
chmod 666 "$WORK/fuse"
mount --bind "$WORK/fuse" /dev/fuse || skip "/dev/fuse cannot be bound over here"

as() {
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
}

home=$WORK/home
mkdir "$home"
chown "$owner:$owner" "$home"
as "$owner" test -x "$WORK/tensorfs" || skip "others cannot come to $WORK"

# A careless umask, and a store folder that everybody may write to.
as "$owner" sh -c "umask 0 && mkdir '$home/store' '$home/mnt'"
as "$owner" sh -c "umask 0 && '$WORK/tensorfs' '$home/store' '$home/mnt'"
as "$owner" sh -c "umask 0 && echo mine >'$home/mnt/file' && mkdir '$home/mnt/folder'"
as "$owner" dd if=/dev/urandom "of=$home/mnt/folder/data" bs=1M count=2 status=none
as "$owner" sync -f "$home/mnt/file"

expect_equal mine "$(as "$owner" cat "$home/mnt/file")" "the owner's file"
for path in "$home/mnt" "$home/mnt/file"; do
    expect_fail "Permission denied" as "$stranger" stat "$path"
    expect_fail "Permission denied" stat "$path" # nor root: it could be made to wait for ever
done
expect_fail "Permission denied" as "$stranger" ls "$home/mnt"

strangers=$(find "$home/store" -perm /077)
[ -z "$strangers" ] || fail "open to others: $strangers"
[ "$(find "$home/store" -type f | wc -l)" -ge 4 ] || fail "the store has too few files to tell"
wrong=$(find "$home/store" -type f ! -perm 0600 -o -type d ! -perm 0700)
[ -z "$wrong" ] || fail "not 0600 or 0700: $wrong"
expect_fail "Permission denied" as "$stranger" ls "$home/store"

# No setuid and no devices, asked for or not.
grep -q " $home/mnt fuse.tensorfs [^ ]*nosuid,nodev" /proc/mounts || fail "$(grep "$home/mnt" /proc/mounts)"
as "$owner" fusermount3 -u "$home/mnt"
if as "$owner" "$WORK/tensorfs" --suid --dev "$home/store" "$home/mnt" 2>"$WORK/said"; then
    grep -q " $home/mnt fuse.tensorfs [^ ]*nosuid,nodev" /proc/mounts ||
        fail "suid and dev were granted: $(grep "$home/mnt" /proc/mounts)"
    as "$owner" fusermount3 -u "$home/mnt"
fi

# Nor does another user get at the store by mounting it.
expect_fail "" as "$stranger" "$WORK/tensorfs" "$home/store" "$home/mnt"
