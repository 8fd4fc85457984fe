# CASE: fallocate keeps room that others cannot take, df shows it, and it is given back in every way
# MOUNT: none
# NEEDS: root loop
# TIMEOUT: 240
. "$TFS_LIB"

small_disk 384M
store=$WORK/disk/store
"$TENSORFS" "$store" "$MNT"
mib=$((1024 * 1024))

available() {
    stat -f -c '%a %S' "$MNT" | awk '{ printf "%d\n", $1 * $2 }'
}
# near A B WHAT: within 24 MiB
near() {
    local apart=$(($1 > $2 ? $1 - $2 : $2 - $1))
    [ $apart -le $((24 * mib)) ] || fail "$3: $1 and $2 are $apart bytes apart"
}
before=$(available)
size=$((before / 10 * 6))

fallocate -l $size "$MNT/a" || fail "fallocate of what is free"
near "$(available)" $((before - size)) "free after fallocate"
[ $(($(stat -c '%b' "$MNT/a") * 512)) -ge $size ] || fail "du does not show what is allocated"
fallocate -l $size "$MNT/b" 2>/dev/null && fail "two files were promised the same room"
[ "$(stat -c %s "$MNT/b")" = 0 ] || fail "a fallocate that failed has changed the size"
rm "$MNT/b"

# Others get what is left, and not more; the file has its own.
random_file "$WORK/original" $((size / mib * mib))
if cp "$WORK/original" "$MNT/other" 2>/dev/null; then
    fail "room that was promised went to somebody else"
fi
rm "$MNT/other"
head -c $before /dev/urandom >"$MNT/filler" 2>/dev/null && fail "the disk takes more than it has"
dd if="$WORK/original" of="$MNT/a" conv=notrunc,fsync bs=1M status=none ||
    fail "no room for what was promised"
cmp -n $((size / mib * mib)) "$WORK/original" "$MNT/a" || fail "other bytes"
rm "$MNT/filler" "$MNT/a"
is_free_again() {
    sync -f "$MNT"
    [ "$(available)" -ge $((before - 16 * mib)) ]
}
wait_for 60 is_free_again

# A mapping of a file that was allocated finds its room too.
fallocate -l $((size / 2)) "$MNT/mapped"
head -c $before /dev/urandom >"$MNT/filler" 2>/dev/null && fail "the disk takes more than it has"
"$TFS_PYTHON" - "$MNT/mapped" "$WORK/original" <<'PYTHON' || fail "storing through a mapping"
import mmap, sys
with open(sys.argv[1], "r+b") as file, open(sys.argv[2], "rb") as original:
    mapped = mmap.mmap(file.fileno(), 0)
    mapped[:] = original.read(len(mapped))
    mapped.flush()
PYTHON
umount "$MNT"
"$TENSORFS" "$store" "$MNT"
cmp -n $((size / 2)) "$WORK/original" "$MNT/mapped" || fail "the mapping's bytes after a remount"
rm "$MNT/filler" "$MNT/mapped"
wait_for 60 is_free_again

# The end of the process forgets no promise; truncation, punching and removal end it.
fallocate -l $size "$MNT/a"
sync "$MNT/a"
kill -KILL "$("$TENSORFSCTL" --json status "$MNT" | sed 's/.*"pid":\([0-9]*\).*/\1/')"
umount -l "$MNT"
"$TENSORFS" "$store" "$MNT"
near "$(available)" $((before - size)) "free after a crash"
fallocate -p -o 0 -l $((size / 2)) "$MNT/a"
near "$(available)" $((before - size / 2)) "free after half was punched"
truncate -s $((size / 4 * 3)) "$MNT/a"
near "$(available)" $((before - size / 4)) "free after the end was cut off"
rm "$MNT/a"
wait_for 60 is_free_again
umount "$MNT"
