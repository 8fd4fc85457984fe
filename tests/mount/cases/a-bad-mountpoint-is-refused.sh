# CASE: a mountpoint that is missing, no directory, dead or ours already is refused, nothing is touched
# MOUNT: none
. "$TFS_LIB"

new=$WORK/new-store
echo kept >"$WORK/file"
ln -s nowhere "$WORK/dangling"

refused "missing.*(no such|not exist)|(no such|not exist).*missing" "$new" "$WORK/missing" -- \
    "$new" "$WORK/missing"
refused "not a directory" "$new" "$WORK/file" -- "$new" "$WORK/file"
refused "dangling" "$new" "$WORK/dangling" -- "$new" "$WORK/dangling"
refused "(usage|mountpoint)" "$new" --

# In use by us: the first mount goes on as if nothing had been asked.
"$TENSORFS" "$STORE" "$MNT"
echo first >"$MNT/file"
refused "in use|already|busy" "$new" -- "$new" "$MNT"
expect_equal first "$(cat "$MNT/file")" "the file on the first mount"
umount "$MNT"

# One line, whatever is in the name, and nothing in it that a terminal obeys.
refused "^tensorfs: mountpoint '.*/no.such.\[31m' does not exist$" "$new" -- \
    "$new" "$WORK/no"$'\n'"such"$'\e'"[31m"

# Beneath a mount whose process was killed the line names the mount that is to be taken away.
"$TENSORFS" "$STORE" "$MNT" >/dev/null
mkdir -p "$MNT/deep/in"
kill -KILL "$("$TENSORFSCTL" --json status "$MNT" | sed 's/.*"pid":\([0-9]*\).*/\1/')"
is_dead() {
    ! stat -f "$MNT" 2>/dev/null
}
wait_for 60 is_dead
refused "$MNT' is a mount whose process is gone; run: fusermount3 -u $MNT$" "$new" -- "$new" "$MNT"
refused "in' is inside of a mount whose process is gone; run: fusermount3 -u $MNT$" "$new" -- \
    "$new" "$MNT/deep/in"
mkdir "$WORK/elsewhere"
refused "$MNT/store'.*not connected" "$WORK/elsewhere" -- "$MNT/store" "$WORK/elsewhere"
umount -l "$MNT"
