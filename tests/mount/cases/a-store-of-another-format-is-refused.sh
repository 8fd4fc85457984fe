# CASE: a store of an unknown version, or whose FORMAT is garbage, is refused and not touched
# MOUNT: none
. "$TFS_LIB"

"$TENSORFS" "$STORE" "$MNT"
echo content >"$MNT/file"
umount "$MNT"
wait_for 60 flock -n "$STORE" true
format=$STORE/FORMAT
[ "$(wc -l <"$format")" = 1 ] || fail "FORMAT is not one line"
cp -p "$format" "$WORK/good"

# The first number is the version.
sed -E '1s/^([^0-9]*)[0-9]+/\1999/' "$WORK/good" >"$format"
cmp -s "$format" "$WORK/good" && fail "FORMAT has no version number: $(cat "$format")"
refused "version|newer" "$STORE" "$MNT" -- "$STORE" "$MNT"
grep -q 999 "$WORK/refused.err" || fail "the version is not named: $(cat "$WORK/refused.err")"

for garbage in "" "tensorfs" "hello world" "$(head -c 3000 /dev/zero | tr '\0' 'x')"; do
    printf '%s' "$garbage" >"$format"
    refused "FORMAT|not a .*store|corrupt" "$STORE" "$MNT" -- "$STORE" "$MNT"
done
head -c 200 /dev/urandom >"$format"
refused "FORMAT|not a .*store|corrupt" "$STORE" "$MNT" -- "$STORE" "$MNT"

cp -p "$WORK/good" "$format"
"$TENSORFS" "$STORE" "$MNT"
expect_equal content "$(cat "$MNT/file")" "the file once FORMAT is back"
umount "$MNT"
