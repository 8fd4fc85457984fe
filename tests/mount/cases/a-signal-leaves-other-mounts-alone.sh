# CASE: a signal ends a mount that is out of reach, and never what is mounted in its place by then
# MOUNT: none
# NEEDS: root
. "$TFS_LIB"

other=$WORK/other
start() {
    "$TENSORFS" -f "$1" "$MNT" >>"$LOG" 2>&1 &
    daemon=$!
    wait_for 60 mountpoint -q "$MNT"
}
ends_well() {
    local status=0
    wait "$1" || status=$?
    expect_equal 0 "$status" "exit status of $2"
}

# Unmounted lazily while a file is open; then another store is mounted there.
start "$STORE"
first=$daemon
exec 3>"$MNT/open"
echo kept >&3
umount -l "$MNT"
start "$other"
second=$daemon
echo second >"$MNT/file"
kill -TERM "$first"
ends_well "$first" "the mount that was unmounted lazily"
exec 3>&-
expect_equal second "$(cat "$MNT/file")" "a file of the later mount"
umount "$MNT"
ends_well "$second" "the later mount"

# Covered by something else, which has a file of its own.
start "$STORE"
expect_equal kept "$(cat "$MNT/open")" "what was written through the lazily unmounted mount"
mount -t tmpfs tmpfs "$MNT"
echo theirs >"$MNT/theirs"
kill -TERM "$daemon"
ends_well "$daemon" "the mount that was covered"
expect_equal theirs "$(cat "$MNT/theirs")" "a file of what covers the mount"
umount "$MNT"
umount "$MNT"
