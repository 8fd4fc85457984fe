# CASE: what was closed before umount is there though the daemon is killed as soon as umount returns
# MOUNT: none
. "$TFS_LIB"

for round in 1 2 3; do
    "$TENSORFS" -f -o commit_interval=0 "$STORE" "$MNT" >>"$LOG" 2>&1 &
    daemon=$!
    wait_for 60 mountpoint -q "$MNT"
    mkdir "$MNT/step-$round"
    random_file "$MNT/step-$round/model" 20000000
    sum=$(sha256sum <"$MNT/step-$round/model")
    umount "$MNT"
    kill -9 $daemon 2>/dev/null || true
    wait $daemon || true
    "$TENSORFS" "$STORE" "$MNT"
    expect_equal "$sum" "$(sha256sum <"$MNT/step-$round/model")" "the file of round $round"
    umount "$MNT"
done
