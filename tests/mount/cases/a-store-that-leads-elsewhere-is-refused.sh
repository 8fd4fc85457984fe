# CASE: a store with a link or a pipe in it is refused, and what the link names is not touched
# MOUNT: none
. "$TFS_LIB"

"$TENSORFS" "$STORE" "$MNT"
head -c 3000000 /dev/urandom >"$MNT/file"
sum=$(sha256sum <"$MNT/file")
umount "$MNT"
wait_for 60 flock -n "$STORE" true
segment=segments/$(basename "$(ls "$STORE"/segments/*.seg)")

# The file is longer than where appending would go on: a mount that followed the link would cut it.
for part in "$segment" index/CURRENT FORMAT; do
    mv "$STORE/$part" "$WORK/kept"
    cp "$WORK/kept" "$WORK/victim"
    head -c 100000 /dev/urandom >>"$WORK/victim"
    ln -s "$WORK/victim" "$STORE/$part"
    refused "$part.* link" "$STORE" "$MNT" "$WORK/victim" -- "$STORE" "$MNT"
    rm "$STORE/$part"
    mkfifo "$STORE/$part"
    refused "$part.* no file" "$STORE" "$MNT" -- "$STORE" "$MNT"
    rm "$STORE/$part"
    mv "$WORK/kept" "$STORE/$part"
done

"$TENSORFS" "$STORE" "$MNT"
expect_equal "$sum" "$(sha256sum <"$MNT/file")" "the file once all is back"
umount "$MNT"
