# CASE: a mount right after an umount waits for the store to be given back, and finds everything
# MOUNT: none
. "$TFS_LIB"

for round in 1 2 3 4 5 6; do
    "$TENSORFS" "$STORE" "$MNT" || fail "mount $round"
    expect_equal $((round - 1)) "$(find "$MNT" -type f | wc -l)" "files at mount $round"
    random_file "$MNT/file-$round" 8000000
    sha256sum <"$MNT/file-$round" >"$WORK/sum-$round"
    umount "$MNT"
done
"$TENSORFS" "$STORE" "$MNT"
for round in 1 2 3 4 5 6; do
    expect_equal "$(cat "$WORK/sum-$round")" "$(sha256sum <"$MNT/file-$round")" "round $round"
done
umount "$MNT"
