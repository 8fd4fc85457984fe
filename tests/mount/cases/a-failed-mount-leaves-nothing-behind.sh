# CASE: a mount that fails leaves no new store behind, and one that was there as it was
# MOUNT: none
. "$TFS_LIB"

new=$WORK/new
"$TENSORFS" "$STORE" "$MNT"
echo kept >"$MNT/file"
umount "$MNT"

# fails REGEX OPTION...: whether the store is new, in a directory of its own or not, or an old one.
fails() {
    local regex=$1
    shift
    refused "$regex" "$new" -- "$@" "$new" "$MNT"
    mkdir "$new"
    chmod 700 "$new"
    expect_fail "" "$TENSORFS" "$@" "$new" "$MNT"
    rmdir "$new" || fail "the directory that was there is gone, or not empty: $(ls -A "$new")"
    expect_fail "" "$TENSORFS" "$@" "$STORE" "$MNT"
    "$TENSORFS" "$STORE" "$MNT"
    expect_equal kept "$(cat "$MNT/file")" "the file in the store that was there"
    umount "$MNT"
}

# Behind the store's making: the port of the metrics is taken.
"$TFS_PYTHON" -c '
import socket, sys, time
wire = socket.socket()
wire.bind(("127.0.0.1", 0))
wire.listen()
print(wire.getsockname()[1], flush=True)
time.sleep(600)' >"$WORK/port" &
holder=$!
wait_for 60 test -s "$WORK/port"
if "$TENSORFS" --help | grep -q metrics; then
    fails "metrics" --metrics="$(cat "$WORK/port")"
fi
kill $holder

# In the middle of it: more memory than there is. A sanitizer would take that for our fault.
if [ "$TFS_SANITIZED" = 0 ] && [ "$(cat /proc/sys/vm/overcommit_memory)" != 1 ]; then
    fails "memory=16777216M cannot be had.*this machine has [0-9]+M" --memory=16384G
fi
