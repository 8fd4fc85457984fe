# CASE: a mount that waits for another of its store ends when it is told to, or its caller is gone
# MOUNT: none
. "$TFS_LIB"

second=$WORK/second
mkdir "$second"
"$TENSORFS" "$STORE" "$MNT" >/dev/null

# In the foreground: by a signal, long before the time is over.
before=$SECONDS
"$TENSORFS" -f -o lock_wait=600 "$STORE" "$second" 2>"$WORK/err" &
waits=$!
signals_are_taken() { # SIGTERM and SIGINT are blocked, and it is not a shell any more
    grep -q '^Name:.*tensorfs' "/proc/$waits/status" && grep -q '^SigBlk:.*4002$' "/proc/$waits/status"
}
wait_for 60 signals_are_taken
kill -TERM $waits
status=0
wait $waits || status=$?
expect_equal 1 $status "exit status"
[ $((SECONDS - before)) -lt 300 ] || fail "it went on waiting"
grep -q "^tensorfs: stopped while waiting" "$WORK/err" || fail "it said '$(cat "$WORK/err")'"

# In the background: the caller is killed, as by Ctrl-C, and no mount comes later.
"$TENSORFS" -o lock_wait=600 "$STORE" "$second" &
caller=$!
child_of_caller() {
    child=$(tr -d ' ' <"/proc/$caller/task/$caller/children") && [ -n "$child" ]
}
wait_for 60 child_of_caller
kill -KILL $caller
wait $caller || true
is_gone() { # or waits to be buried by the runner
    ! grep -q '^State:.*[^Z] (' "/proc/$child/status" 2>/dev/null
}
wait_for 60 is_gone
umount "$MNT"
"$TENSORFS" "$STORE" "$MNT" >/dev/null
! mountpoint -q "$second" || fail "mounted although its caller was killed"
umount "$MNT"
