# CASE: a mountpoint that is missing, no directory or ours already is refused, nothing is touched
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
