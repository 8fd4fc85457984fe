# CASE: closed or full standard descriptors and limits of the caller do a mount no harm
# MOUNT: none
. "$TFS_LIB"

random_file "$WORK/original" 3000000

# The files of the mount's process are its own: none of the store has the number of a standard one.
saves_and_keeps() {
    local pid
    wait_for 60 mountpoint -q "$MNT"
    pid=$("$TENSORFSCTL" --json status "$MNT" | sed 's/.*"pid":\([0-9]*\).*/\1/')
    for fd in 0 1 2; do
        case $(readlink "/proc/$pid/fd/$fd") in
        "$STORE"* | anon_inode*) fail "$1: descriptor $fd is $(readlink "/proc/$pid/fd/$fd")" ;;
        esac
    done
    cp "$WORK/original" "$MNT/file"
    umount "$MNT"
    "$TENSORFS" "$STORE" "$MNT" >/dev/null
    cmp "$WORK/original" "$MNT/file"
    rm "$MNT/file"
    umount "$MNT"
}

"$TENSORFS" "$STORE" "$MNT" <&- >&- 2>&-
saves_and_keeps "all closed"
"$TENSORFS" "$STORE" "$MNT" >&-
saves_and_keeps "standard output closed"
"$TENSORFS" "$STORE" "$MNT" 2>&- >/dev/null
saves_and_keeps "standard error closed"
"$TENSORFS" -f "$STORE" "$MNT" <&- >&- 2>&- &
saves_and_keeps "all closed, in the foreground"
wait $!

"$TENSORFS" "$STORE" "$MNT" >/dev/full 2>"$WORK/err" || fail "mounted, and exit status $?"
grep -q "^tensorfs: mounted, but standard output" "$WORK/err" || fail "it said '$(cat "$WORK/err")'"
saves_and_keeps "standard output full"

(
    ulimit -S -f 64
    "$TENSORFS" "$STORE" "$MNT" >/dev/null
)
saves_and_keeps "a soft limit of file sizes"

# A hard limit cannot be lifted.
(
    ulimit -f 64
    refused "65536 bytes.*ulimit" "$STORE/FORMAT" "$MNT" -- "$STORE" "$MNT"
)
"$TENSORFS" "$STORE" "$MNT" >/dev/null
saves_and_keeps "a hard limit, once it was lifted"
