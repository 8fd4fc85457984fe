# CASE: SIGTERM and SIGINT unmount, make all durable and exit 0; SIGHUP, SIGPIPE lose nothing
# MOUNT: none
. "$TFS_LIB"

start() {
    "$TENSORFS" -f -o commit_interval=60 "$STORE" "$MNT" >>"$LOG" 2>&1 &
    daemon=$!
    wait_for 60 mountpoint -q "$MNT"
}

for signal in TERM INT HUP; do
    start
    random_file "$MNT/file-$signal" 6000000
    mkdir "$MNT/directory-$signal"
    sum=$(sha256sum <"$MNT/file-$signal")
    kill -$signal $daemon
    if [ $signal = HUP ]; then
        # Either ends the mount like the others, or has another meaning and the mount goes on.
        sleep 1
        if kill -0 $daemon 2>/dev/null && mountpoint -q "$MNT"; then
            expect_equal "$sum" "$(sha256sum <"$MNT/file-HUP")" "the file after SIGHUP"
            umount "$MNT"
        fi
    fi
    status=0
    wait $daemon || status=$?
    expect_equal 0 $status "exit status after SIG$signal"
    ! mountpoint -q "$MNT" || fail "still mounted after SIG$signal"
    start
    expect_equal "$sum" "$(sha256sum <"$MNT/file-$signal")" "the file written before SIG$signal"
    [ -d "$MNT/directory-$signal" ] || fail "the directory made before SIG$signal"
    umount "$MNT"
    wait $daemon
done

start
kill -PIPE $daemon
echo alive >"$MNT/alive"
expect_equal alive "$(cat "$MNT/alive")" "a file after SIGPIPE"
umount "$MNT"
wait $daemon

# In the middle of a save: what was written by then is kept, what comes later is refused.
start
random_file "$WORK/original" 9000000
exec 3>"$MNT/saving"
head -c 5000000 "$WORK/original" >&3
kill -TERM $daemon
status=0
wait $daemon || status=$?
expect_equal 0 $status "exit status in the middle of a save"
! echo late 2>/dev/null >&3 || fail "written after the end of the mount"
exec 3>&-
start
cmp -n 5000000 "$WORK/original" "$MNT/saving"
expect_equal 5000000 "$(stat -c %s "$MNT/saving")" "size of what was being saved"
umount "$MNT"
wait $daemon
