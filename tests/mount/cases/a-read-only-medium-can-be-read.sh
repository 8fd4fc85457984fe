# CASE: on a read-only medium a mount is refused, with -o ro every file can be read
# MOUNT: none
# NEEDS: root loop
. "$TFS_LIB"

small_disk 384M
store=$WORK/disk/store
"$TENSORFS" "$store" "$MNT"
random_file "$MNT/file" 5000000
ln -s file "$MNT/link"
sum=$(sha256sum <"$MNT/file")
umount "$MNT"
remount_read_only() {
    mount -o remount,ro "$WORK/disk" 2>/dev/null
}
wait_for 60 remount_read_only # as soon as the daemon has closed its files

refused "read-only" "$MNT" -- "$store" "$MNT"
"$TENSORFS" -o ro "$store" "$MNT" 2>"$WORK/err" || fail "-o ro: $(cat "$WORK/err")"
expect_equal "$sum" "$(sha256sum <"$MNT/link")" "the file on the read-only medium"
expect_fail "Read-only file system" touch "$MNT/new"
expect_fail "Read-only file system" rm "$MNT/file"
umount "$MNT"
