# CASE: after umount the daemon makes all durable by itself, gives the store back and exits with 0
# MOUNT: none
. "$TFS_LIB"

for round in 1 2 3; do
    # Without an interval nothing but the end commits what nobody synced.
    "$TENSORFS" -f -o commit_interval=0 "$STORE" "$MNT" >>"$LOG" 2>&1 &
    daemon=$!
    wait_for 60 mountpoint -q "$MNT"
    mkdir "$MNT/step-$round"
    random_file "$MNT/step-$round/model" 20000000
    sum=$(sha256sum <"$MNT/step-$round/model")
    umount "$MNT"
    status=0
    wait $daemon || status=$?
    expect_equal 0 $status "exit status of the daemon"
    flock -n "$STORE" true || fail "the store is still locked"
    "$TENSORFS" "$STORE" "$MNT"
    expect_equal "$sum" "$(sha256sum <"$MNT/step-$round/model")" "the file of round $round"
    umount "$MNT"
    wait_for 60 flock -n "$STORE" true
done
