# CASE: a directory of other files, a file, or a store without FORMAT never becomes a store
# MOUNT: none
. "$TFS_LIB"

mkdir "$WORK/photos"
echo precious >"$WORK/photos/holiday.jpg"
refused "not a .*store|not empty" "$WORK/photos" "$MNT" -- "$WORK/photos" "$MNT"

echo file >"$WORK/file"
refused "file" "$WORK/file" "$MNT" -- "$WORK/file" "$MNT"

"$TENSORFS" "$STORE" "$MNT"
echo content >"$MNT/file"
umount "$MNT"
wait_for 60 flock -n "$STORE" true
mv "$STORE/FORMAT" "$WORK/FORMAT"
refused "FORMAT|not a .*store|not empty" "$STORE" "$MNT" -- "$STORE" "$MNT"
mv "$WORK/FORMAT" "$STORE/FORMAT"
"$TENSORFS" "$STORE" "$MNT"
expect_equal content "$(cat "$MNT/file")" "the file once FORMAT is back"
umount "$MNT"
