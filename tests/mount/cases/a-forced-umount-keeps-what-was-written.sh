# CASE: umount -f cuts programs off; what they had written is kept, and the daemon ends in order
# MOUNT: none
# NEEDS: root
. "$TFS_LIB"

"$TENSORFS" -f -o commit_interval=0 "$STORE" "$MNT" >>"$LOG" 2>&1 &
daemon=$!
wait_for 60 mountpoint -q "$MNT"
random_file "$WORK/original" 3000000
exec 3>"$MNT/file"
cat "$WORK/original" >&3
umount -f "$MNT" 2>/dev/null && fail "unmounted although a file is open"
! echo late 2>/dev/null >&3 || fail "written after the end of the connection"
exec 3>&-
status=0
wait $daemon || status=$?
expect_equal 0 $status "exit status of the daemon"

umount -l "$MNT"
"$TENSORFS" "$STORE" "$MNT" >/dev/null
cmp "$WORK/original" "$MNT/file"
umount "$MNT"
