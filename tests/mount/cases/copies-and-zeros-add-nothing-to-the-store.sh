# CASE: copies, zeros and holes leave the store as large as it was; removal gives space back
# OPTIONS: compression=none
# PLAIN: no
. "$TFS_LIB"

mib=$((1024 * 1024))

# grows LIMIT WHAT: the store has grown by less than LIMIT bytes since `before` was taken.
grows() {
    local now grown
    now=$(stored_bytes)
    grown=$((now - before))
    [ "$grown" -lt "$1" ] || fail "$2 made the store grow by $grown bytes, wanted less than $1"
}

random_file "$MNT/original" $((32 * mib))
before=$(stored_bytes)
[ "$before" -ge $((32 * mib)) ] || fail "the store holds 32 MiB of noise in $before bytes"

"$TFS_PYTHON" - "$MNT/original" "$MNT/copy" <<'PYTHON'
import os, sys
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
    left = os.fstat(source.fileno()).st_size
    while left:
        left -= os.copy_file_range(source.fileno(), target.fileno(), left)
PYTHON
grows $((2 * mib)) "copy_file_range of 32 MiB"
cmp "$MNT/original" "$MNT/copy"

head -c $((64 * mib)) /dev/zero >"$MNT/zeros"
truncate -s 1T "$MNT/hole"
grows $((4 * mib)) "64 MiB of zeros and a hole of 1 TiB"
[ "$(stat -c %b "$MNT/hole")" -lt 100 ] || fail "a hole has $(stat -c %b "$MNT/hole") blocks"

rm "$MNT/original"
control remount
before=$(stored_bytes)
[ "$before" -ge $((32 * mib)) ] || fail "the copy's data went with its source: $before bytes left"

rm "$MNT/copy" "$MNT/hole"
space_is_back() {
    [ "$(stored_bytes)" -lt $((before - 24 * mib)) ]
}
wait_for 60 space_is_back
