# CASE: tensorfs returns when usable, tells its default store, takes options as mount(8) does
# MOUNT: none
. "$TFS_LIB"

"$TENSORFS" --help >"$WORK/help" || fail "--help"
for option in chunk_size compression concurrency threads memory cache commit_interval; do
    grep -q "$option" "$WORK/help" || fail "--help does not tell $option"
done
"$TENSORFS" --version | grep -qE '[0-9]+\.[0-9]+' || fail "--version"
refused "." "$MNT" --

# Usable on return, whichever way the options come.
"$TENSORFS" --chunk_size=64K --compression=zstd:3 -o memory=256M,noatime,fsname=checkpoints \
    "$STORE" "$MNT"
echo usable >"$MNT/file"
expect_equal usable "$(cat "$MNT/file")" "a file right after mounting"
grep -q " $MNT fuse.tensorfs .*" /proc/mounts || fail "type: $(grep " $MNT " /proc/mounts)"
grep -q "^checkpoints $MNT " /proc/mounts || fail "fsname: $(grep " $MNT " /proc/mounts)"
umount "$MNT"

# As mount.fuse3 calls it for fstab and mount -t fuse.tensorfs.
"$TENSORFS" "$STORE" "$MNT" -o rw,noatime,nosuid,nodev,compression=gzip:1
expect_equal usable "$(cat "$MNT/file")" "the file after a mount as from fstab"
umount "$MNT"

# Read-only: everything can be looked at.
"$TENSORFS" -o ro "$STORE" "$MNT"
expect_equal usable "$(cat "$MNT/file")" "the file on a read-only mount"
expect_fail "Read-only file system" touch "$MNT/new"
expect_fail "Read-only file system" mkdir "$MNT/new"
expect_fail "Read-only file system" rm "$MNT/file"
umount "$MNT"

# Made read-only and writable again while it is mounted, which is between mount(8) and the kernel.
"$TENSORFS" "$STORE" "$MNT"
if [ "$(id -u)" = 0 ]; then
    mount -i -o remount,ro "$MNT"
    expect_fail "Read-only file system" touch "$MNT/new"
    mount -i -o remount,rw "$MNT"
    touch "$MNT/new"
fi
umount "$MNT"

# The default store, printed: its name is the mountpoint's, by the escapes of systemd-escape.
name=${MNT#/}
name=${name//\\/\\x5c}
name=${name//-/\\x2d}
name=${name//\//-}
unset TENSORFS_STORE
said=$(XDG_DATA_HOME=$WORK/data "$TENSORFS" "$MNT" 2>&1)
umount "$MNT"
found=$(find "$WORK/data/tensorfs" -mindepth 1 -maxdepth 1)
expect_equal "$name" "$(basename "$found")" "the default store"
expect_equal "tensorfs: new store $found is mounted on $MNT" "$said" "what is told of a new store"
said=$(XDG_DATA_HOME=$WORK/data "$TENSORFS" "$MNT" 2>&1)
umount "$MNT"
expect_equal "tensorfs: store $found is mounted on $MNT" "$said" "what is told of one that was there"
if command -v systemd-escape >/dev/null; then
    expect_equal "$MNT" "$(systemd-escape --unescape --path -- "$name")" "the name turned back"
fi

# No two mountpoints have one store, as they did when '-' stood for both letters.
mkdir -p "$WORK/x/y" "$WORK/x-y"
for place in x/y x-y; do
    XDG_DATA_HOME=$WORK/data "$TENSORFS" "$WORK/$place"
    expect_equal "" "$(ls -A "$WORK/$place")" "what is there in a new default store"
    echo "$place" >"$WORK/$place/mine"
done
for place in x/y x-y; do
    umount "$WORK/$place"
    XDG_DATA_HOME=$WORK/data "$TENSORFS" "$WORK/$place"
    expect_equal "$place" "$(cat "$WORK/$place/mine")" "the file of $place"
    umount "$WORK/$place"
done
said=$(TENSORFS_STORE=$WORK/named "$TENSORFS" "$MNT" 2>&1)
umount "$MNT"
[ -f "$WORK/named/FORMAT" ] || fail "TENSORFS_STORE was not heeded"
[[ $said == *"$WORK/named"* ]] || fail "the store is not told: '$said'"
said=$(env -u XDG_DATA_HOME HOME="$WORK/home" "$TENSORFS" "$MNT" 2>&1)
umount "$MNT"
[ -d "$WORK/home/.local/share/tensorfs" ] || fail "no store in HOME"

# What is stored is the owner's alone.
strangers=$(find "$WORK/named" -perm /077)
[ -z "$strangers" ] || fail "open to others: $strangers"
