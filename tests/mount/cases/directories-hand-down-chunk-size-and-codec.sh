# CASE: user.tensorfs.chunk_size and .compression of a directory rule what is made in it
# OPTIONS: compression=none,chunk_size=1M
# NEEDS: setfattr getfattr
# PLAIN: no
. "$TFS_LIB"

# attribute PATH NAME
attribute() {
    getfattr --absolute-names --only-values -n "user.tensorfs.$2" "$1"
}
# text_grows_by PATH: by how much the store grows with 8 MB of text there.
text_grows_by() {
    local before
    before=$(stored_bytes)
    yes "the quick brown fox saves a checkpoint $RANDOM" | head -c 8000000 >"$1" || true
    echo $(($(stored_bytes) - before))
}

mkdir "$MNT/dense" "$MNT/plain"
setfattr -n user.tensorfs.compression -v zstd:3 "$MNT/dense"
setfattr -n user.tensorfs.chunk_size -v 64K "$MNT/dense"
mkdir "$MNT/dense/below"
expect_equal zstd:3 "$(attribute "$MNT/dense" compression)" "compression of the directory"
case $(attribute "$MNT/dense" chunk_size) in 64K | 65536) ;; *) fail "no chunk_size" ;; esac
expect_equal zstd:3 "$(attribute "$MNT/dense/below" compression)" "compression of a directory below"

grown=$(text_grows_by "$MNT/plain/text")
[ "$grown" -gt 7000000 ] || fail "8 MB of text under compression=none took $grown bytes"
for place in dense dense/below; do
    grown=$(text_grows_by "$MNT/$place/text")
    [ "$grown" -lt 2000000 ] || fail "8 MB of text in $place took $grown bytes"
done

# What was made before keeps its way, and a move changes nothing either.
mv "$MNT/plain/text" "$MNT/dense/moved"
control remount
expect_equal zstd:3 "$(attribute "$MNT/dense/below" compression)" "compression after a remount"
for file in dense/text dense/below/text dense/moved; do
    expect_equal 8000000 "$(stat -c %s "$MNT/$file")" "size of $file"
    grep -q checkpoint "$MNT/$file" || fail "$file is not what was written"
done

# Values are checked like the mount's own.
for bad in lzma zstd:20 gzip:0 ""; do
    expect_fail "Invalid argument" setfattr -n user.tensorfs.compression -v "$bad" "$MNT/plain"
done
for bad in 0 255 100000 128M x -1 ""; do
    expect_fail "Invalid argument" setfattr -n user.tensorfs.chunk_size -v "$bad" "$MNT/plain"
done

# Taken away, the mount's options rule again.
setfattr -x user.tensorfs.compression "$MNT/dense"
grown=$(text_grows_by "$MNT/dense/later")
[ "$grown" -gt 7000000 ] || fail "8 MB of text took $grown bytes although the attribute is gone"
