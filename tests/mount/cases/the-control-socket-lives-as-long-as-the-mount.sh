# CASE: the control socket is its owner's alone, goes with the mount, is replaced after a kill, and leaves a read-only store alone
# MOUNT: none
. "$TFS_LIB"

# A path longer than a socket's address can be.
deep="$WORK/$(printf 'long-%.0s' {1..30})/$(printf 'path-%.0s' {1..30})"
mkdir -p "$deep"

is_not_mounted() {
    "$TENSORFSCTL" --quiet status "$deep/store" 2>/dev/null | grep -q 'not mounted'
}

"$TENSORFS" "$deep/store" "$MNT"
expect_equal "600 socket" "$(stat -c '%a %F' "$deep/store/control")" "the socket"
"$TENSORFSCTL" status "$deep/store" | grep -q "^mounted on  $MNT$" || fail "no answer at a long path"
umount "$MNT"
wait_for 30 test ! -e "$deep/store/control"

# Killed: the file stays, nobody answers, the next mount replaces it.
"$TENSORFS" "$deep/store" "$MNT"
pid=$("$TENSORFSCTL" --json status "$MNT" | sed 's/.*"pid":\([0-9]*\).*/\1/')
kill -9 "$pid"
wait_for 30 is_not_mounted
umount -l "$MNT"
[ -S "$deep/store/control" ] || fail "the socket of a killed mount is gone"
"$TENSORFS" "$deep/store" "$MNT"
"$TENSORFSCTL" sync "$MNT" >/dev/null
umount "$MNT"
wait_for 30 test ! -e "$deep/store/control"

# Something else of that name is not touched; the mount answers all the same.
echo mine >"$deep/store/control"
"$TENSORFS" "$deep/store" "$MNT"
expect_equal mine "$(cat "$deep/store/control")" "a file named control"
"$TENSORFSCTL" status "$MNT" | grep -q "^mounted on  $MNT$" || fail "no answer without a socket file"
umount "$MNT"
rm "$deep/store/control"

# Two read-only mounts of one store: nothing is put into it, each answers for itself.
mkdir "$WORK/second"
wait_for 30 "$TENSORFS" -o ro,lock_wait=0 "$deep/store" "$MNT" 2>/dev/null
"$TENSORFS" -o ro "$deep/store" "$WORK/second"
[ ! -e "$deep/store/control" ] || fail "a read-only mount put its socket into the store"
for point in "$MNT" "$WORK/second"; do
    "$TENSORFSCTL" status "$point" | grep -q "^mounted on  $point$" || fail "no answer for '$point'"
done
umount "$MNT"
umount "$WORK/second"
