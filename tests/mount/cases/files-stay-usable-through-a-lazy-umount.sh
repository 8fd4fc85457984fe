# CASE: umount of a busy mount is refused; a lazy one lets open files finish and loses nothing
# MOUNT: none
. "$TFS_LIB"

"$TENSORFS" -f "$STORE" "$MNT" >>"$LOG" 2>&1 &
daemon=$!
wait_for 60 mountpoint -q "$MNT"
random_file "$WORK/original" 5000000
exec 3<>"$MNT/file"
head -c 2000000 "$WORK/original" >&3
expect_fail "busy" umount "$MNT"
expect_equal 2000000 "$(stat -c %s "$MNT/file")" "size after the refused umount"

umount -l "$MNT"
mountpoint -q "$MNT" && fail "still mounted after a lazy umount"
tail -c +2000001 "$WORK/original" >&3
kill -0 $daemon || fail "the daemon left an open file alone"
exec 3>&-
status=0
wait $daemon || status=$?
expect_equal 0 $status "exit status of the daemon"

"$TENSORFS" "$STORE" "$MNT"
cmp "$WORK/original" "$MNT/file"
umount "$MNT"
