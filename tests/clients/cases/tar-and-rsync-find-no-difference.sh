# CASE: tar and rsync copy links, holes, ACLs and attributes there and back without a difference
# NEEDS: root tar rsync setfattr setfacl
# TIMEOUT: 240
. "$TFS_LIB"

# A real tree, and what real trees rarely have.
source=$WORK/source
mkdir "$source"
cp -a /usr/include/linux "$source/real" 2>/dev/null || cp -a /etc "$source/real"
random_file "$source/large" 7000001
ln "$source/large" "$source/hard-link"
ln -s large "$source/link"
ln -s nowhere "$source/dangling"
mkfifo "$source/fifo"
truncate -s 50M "$source/sparse"
echo data | dd of="$source/sparse" bs=1 seek=20000000 conv=notrunc status=none
mkdir -p "$source/deep/er/and/deeper"
echo x >"$source/deep/er/and/deeper/$(printf 'n%.0s' $(seq 250))"
setfattr -n user.note -v kept "$source/large"
setfacl -m u:65533:r "$source/large" || skip "no ACLs where the build is"
chown 65533:65532 "$source/real"
chmod 4755 "$source/deep"
touch -d '1999-12-31 23:59:59.123456789' "$source/large"

same() { # PLACE WHEN
    diff -r --no-dereference --exclude=fifo "$source" "$1" >"$WORK/diff" 2>&1 ||
        fail "$2: $(head -3 "$WORK/diff")"
    # Nothing to do: every time, owner, mode, ACL, attribute and hard link is the same.
    local todo
    todo=$(rsync -aHAX --checksum --dry-run --itemize-changes "$source/" "$1/")
    expect_equal "" "$todo" "what rsync would change $2"
}

tar -C "$source" --xattrs --acls --sparse -cf "$MNT/archive.tar" .
mkdir "$MNT/tar" "$MNT/rsync"
tar -C "$MNT/tar" --xattrs --acls --sparse -xpf "$MNT/archive.tar"
tar -C "$MNT/tar" --xattrs --acls --compare -f "$MNT/archive.tar"
rsync -aHAX --sparse "$source/" "$MNT/rsync/"
for again in 1 2; do # changed files go over old ones
    echo "change $again" >>"$source/real/changed"
    rsync -aHAX --inplace "$source/" "$MNT/rsync/"
done
cp -p "$source/real/changed" "$MNT/tar/real/changed"
touch -r "$source/real" "$MNT/tar/real"
same "$MNT/rsync" "rsync's copy"
same "$MNT/tar" "tar's copy"
"$TFS_PYTHON" "$(dirname "${BASH_SOURCE[0]}")/../files.py" remember "$MNT"
control remount
"$TFS_PYTHON" "$(dirname "${BASH_SOURCE[0]}")/../files.py" expect "$MNT"
same "$MNT/rsync" "rsync's copy after a remount"
same "$MNT/tar" "tar's copy after a remount"
blocks=$(stat -c %b "$MNT/tar/sparse")
[ "$blocks" -lt 20000 ] || fail "the sparse file has $blocks blocks"

# And back.
mkdir "$WORK/back"
rsync -aHAX "$MNT/rsync/" "$WORK/back/"
same "$WORK/back" "the copy of the copy"
