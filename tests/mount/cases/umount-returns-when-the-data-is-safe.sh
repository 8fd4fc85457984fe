# CASE: the helper of umount(8) returns when the store's lock is free, says what it waits for, and not for ever
# MOUNT: none
# NEEDS: flock findmnt
. "$TFS_LIB"
helper=$(dirname "$TFS_LIB")/../../packaging/umount.fuse.tensorfs

start() {
    "$TENSORFS" "$@" "$STORE" "$MNT"
}

# The lock goes from the daemon to this process, which stands for a daemon that has much to write.
hold_next() {
    rm -f "$WORK/release"
    cp "$STORE/holder" "$WORK/note"
    flock "$STORE" sh -c "touch '$WORK/held'; until [ -e '$WORK/release' ]; do sleep 0.05; done" &
    holder=$!
    wait_for 60 grep -q -- "-> FLOCK .*:$(stat -c %i "$STORE") " /proc/locks
}

# The helper and the holder both want the lock when the daemon lets go of it. Here the holder has it
# before the helper asks: umount(8) returns to the helper no earlier.
# With its note it has all that the daemon had.
mkdir "$WORK/bin"
cat >"$WORK/bin/umount" <<END
$(command -v umount) "\$@" || exit
until [ -e '$WORK/held' ]; do sleep 0.05; done
cp '$WORK/note' '$STORE/holder'
END
chmod +x "$WORK/bin/umount"

late_helper() {
    PATH="$WORK/bin:$PATH" "$helper" "$@"
}

let_go() {
    touch "$WORK/release"
    wait "$holder"
    rm -f "$WORK/held"
}

start
random_file "$MNT/model" 20000000
sum=$(sha256sum <"$MNT/model")
"$helper" "$MNT"
flock --nonblock "$STORE" true || fail "the helper returned before the daemon was done"

start
expect_equal "$sum" "$(sha256sum <"$MNT/model")" "the file after the umount"
hold_next
late_helper "$MNT" 2>"$WORK/said" &
waiting=$!
wait_for 60 grep -q "waiting until everything is durable in '$STORE'" "$WORK/said"
[ -e "$WORK/held" ] || fail "the test does not have the lock"
! mountpoint -q "$MNT" || fail "waiting, but still mounted"
kill -0 $waiting || fail "the helper did not wait"
let_go
wait $waiting || fail "the helper failed after its wait"

start
hold_next
status=0
TENSORFS_UMOUNT_WAIT=1 late_helper "$MNT" 2>"$WORK/said" || status=$?
expect_equal 32 $status "exit status when the limit is over"
grep -q "still being written after 1 seconds, by process [0-9]*; do not cut" "$WORK/said" ||
    fail "said: $(cat "$WORK/said")"
let_go

# A lazy umount does not wait, a name for the source that is no store neither, and a busy one says so.
start -o fsname=name
(cd "$MNT" && expect_fail busy "$helper" "$MNT")
"$helper" "$MNT" -v
wait_for 60 flock --nonblock "$STORE" true
start
hold_next
(cd "$MNT" && "$helper" "$MNT" -l)
! mountpoint -q "$MNT" || fail "a lazy umount left it mounted"
let_go
