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

# The kernel passes on a number; why it is so stands in the log, where lines of this kind are 0.1 s apart.
# explained ERROR LINE PATH SETFATTR-ARGUMENT...
explained() {
    local error=$1 line=$2 path=$3
    shift 3
    expect_fail "$error" setfattr "$@" "$path"
    grep -qF "$line" "$LOG"
}
inode=$(stat -c %i "$MNT/plain")
wait_for 30 explained "Invalid argument" \
    "attribute 'user.tensorfs.compression'='nonee' of inode $inode: auto, none, gzip" \
    "$MNT/plain" -n user.tensorfs.compression -v nonee
wait_for 30 explained "Operation not supported" \
    "attribute 'user.tensorfs.compresion'='none' of inode $inode: there is none of that name" \
    "$MNT/plain" -n user.tensorfs.compresion -v none
inode=$(stat -c %i "$MNT/dense/text")
wait_for 30 explained "Operation not permitted" \
    "attribute 'user.tensorfs.compression'='none' of inode $inode: only a directory" \
    "$MNT/dense/text" -n user.tensorfs.compression -v none
wait_for 30 explained "Operation not permitted" \
    "attribute 'user.tensorfs.info' of inode $inode: it can only be read" \
    "$MNT/dense/text" -x user.tensorfs.info

# Taken away, the mount's options rule again.
setfattr -x user.tensorfs.compression "$MNT/dense"
grown=$(text_grows_by "$MNT/dense/later")
[ "$grown" -gt 7000000 ] || fail "8 MB of text took $grown bytes although the attribute is gone"

# What was set is listed, so that it is seen and a copy has it too; what is only inherited is not.
listed() {
    getfattr --absolute-names -d "$1" | grep -v '^#' || true
}
expect_equal 'user.tensorfs.chunk_size="65536"' "$(listed "$MNT/dense" | sed '/^$/d')" "what is left"
setfattr -n user.tensorfs.compression -v zstd:3 "$MNT/dense"
expect_equal 'user.tensorfs.chunk_size="65536"
user.tensorfs.compression="zstd:3"' "$(listed "$MNT/dense" | sort | sed '/^$/d')" "what was set"
expect_equal "" "$(listed "$MNT/plain")" "what is listed where nothing was set"
expect_equal "" "$(listed "$MNT/dense/text")" "what is listed of a file"
cp -a "$MNT/dense" "$MNT/copied"
expect_equal "$(listed "$MNT/dense")" "$(listed "$MNT/copied")" "what cp -a made of it"
touch "$MNT/copied/new"
expect_equal zstd:3 "$(attribute "$MNT/copied/new" compression)" "compression of what is made there"
