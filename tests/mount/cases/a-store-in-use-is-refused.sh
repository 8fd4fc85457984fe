# CASE: a store that another mount has is refused, and that mount is not disturbed
# MOUNT: none
. "$TFS_LIB"

mkdir "$WORK/second"
"$TENSORFS" "$STORE" "$MNT"
random_file "$MNT/before" 3000000
sum=$(sha256sum <"$MNT/before")
for again in "$STORE" "$STORE/" "$STORE/../store"; do
    refused "in use|locked|already" "$WORK/second" -- -o lock_wait=1 "$again" "$WORK/second"
done
ln -s store "$WORK/link"
refused "in use|locked|already" "$WORK/second" -- -o lock_wait=0 "$WORK/link" "$WORK/second"
random_file "$MNT/after" 3000000
expect_equal "$sum" "$(sha256sum <"$MNT/before")" "the file of the first mount"
umount "$MNT"

# Given back, it can be had at once.
"$TENSORFS" "$STORE" "$WORK/second"
expect_equal "$sum" "$(sha256sum <"$WORK/second/before")" "the file on the second mount"
expect_equal 3000000 "$(stat -c %s "$WORK/second/after")" "size of the later file"
umount "$WORK/second"
