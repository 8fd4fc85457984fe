# CASE: setuid bits and device nodes mean something with suid and dev, and nothing without
# MOUNT: none
# NEEDS: root setpriv
. "$TFS_LIB"

as_daemon() {
    setpriv --reuid daemon --regid daemon --clear-groups -- "$@"
}

chmod 755 "$WORK"
as_daemon test -x "$WORK" || skip "others cannot come to $WORK"

"$TENSORFS" --allow_other --suid --dev "$STORE" "$MNT"
cp "$(command -v id)" "$MNT/id"
chmod 4755 "$MNT/id"
mknod -m 666 "$MNT/null" c 1 3 || skip "no device nodes can be made here"
expect_equal 0 "$(as_daemon "$MNT/id" -u)" "the user of a setuid program with suid"
as_daemon sh -c "echo gone >'$MNT/null'" || fail "the device cannot be opened with dev"
umount "$MNT"

"$TENSORFS" --allow_other "$STORE" "$MNT"
expect_equal "4755" "$(stat -c %a "$MNT/id")" "the mode of the program"
expect_equal "$(id -u daemon)" "$(as_daemon "$MNT/id" -u)" "the user of a setuid program without suid"
expect_fail "Permission denied" sh -c "echo gone >'$MNT/null'"
umount "$MNT"
