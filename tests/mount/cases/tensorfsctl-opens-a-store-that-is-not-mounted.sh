# CASE: tensorfsctl answers for a store that is not mounted, changes nothing in it, and says what needs a mount
# PLAIN: no
# AFTER: none
. "$TFS_LIB"

mkdir "$MNT/folder"
random_file "$MNT/folder/file" 3000000
ln -s nowhere "$MNT/folder/link"
mounted=$("$TENSORFSCTL" --json du "$MNT/folder")
control unmount
before=$(snapshot "$STORE/FORMAT" "$STORE/segments")
"$TENSORFSCTL" status "$STORE" | grep -q 'not mounted' || fail "status does not say that it is not mounted"
expect_equal "$mounted" "$("$TENSORFSCTL" --json du --store="$STORE" /folder)" "du, mounted and not"
"$TENSORFSCTL" info --frames --store="$STORE" folder/file | grep -q '^frame .* segment ' ||
    fail "info lists no frame"
"$TENSORFSCTL" debug-bundle --out="$WORK/bundle.tar" "$STORE" >/dev/null
expect_equal 600 "$(stat -c %a "$WORK/bundle.tar")" "mode of the bundle"
tar tf "$WORK/bundle.tar" | grep -q layout.json || fail "no layout in the bundle"
for command in stats sync loglevel metrics; do
    expect_fail "is not mounted" "$TENSORFSCTL" "$command" "$STORE"
done
after=$(snapshot "$STORE/FORMAT" "$STORE/segments")
expect_equal "$before" "$after" "the store after it was looked at"
expect_fail "neither a store nor on a mount" "$TENSORFSCTL" status "$WORK"
