# CASE: df shows the disk beneath less a reserve of a 64th, down and up with what is stored
# NEEDS: tune2fs
# OPTIONS: compression=none
# PLAIN: no
. "$TFS_LIB"

free_bytes() {
    stat -f -c '%a %S' "$1" | awk '{ printf "%d\n", $1 * $2 }'
}
total_bytes() {
    stat -f -c '%b %S' "$1" | awk '{ printf "%d\n", $1 * $2 }'
}
# near A B LIMIT WHAT
near() {
    local apart=$(($1 > $2 ? $1 - $2 : $2 - $1))
    [ $apart -le "$3" ] || fail "$4: $1 and $2 are $apart bytes apart"
}

control unmount
small_disk 768M
STORE=$WORK/disk/store
mkdir "$STORE"
"$TENSORFS" -o compression=none "$STORE" "$MNT"
mib=$((1024 * 1024))

near "$(total_bytes "$MNT")" "$(total_bytes "$WORK/disk")" $mib "size"
# The reserve is what the index lives on while the disk is full for data.
reserve=$(($(total_bytes "$WORK/disk") / 64))
beneath() {
    echo $(($(free_bytes "$WORK/disk") - reserve))
}
near "$(free_bytes "$MNT")" "$(beneath)" $mib "free at first"

# What is kept back, by us or for root by the disk, is free and not used, as df(1) counts it.
used_bytes() {
    stat -f -c '%b %f %S' "$1" | awk '{ printf "%d\n", ($1 - $2) * $3 }'
}
near "$(used_bytes "$MNT")" "$(used_bytes "$WORK/disk")" $mib "used at first"
umount "$MNT"
wait_for 60 umount "$WORK/disk" 2>/dev/null
tune2fs -m 20 "$WORK/disk.img" >/dev/null 2>&1
mount -o loop "$WORK/disk.img" "$WORK/disk"
"$TENSORFS" -o compression=none "$STORE" "$MNT"
near "$(used_bytes "$MNT")" "$(used_bytes "$WORK/disk")" $mib "used beside a fifth for root"
near "$(free_bytes "$MNT")" "$(beneath)" $mib "free beside a fifth for root"
before=$(free_bytes "$MNT")
random_file "$MNT/file" $((64 * mib))
sync -f "$MNT"
near "$(free_bytes "$MNT")" $((before - 64 * mib)) $((8 * mib)) "free after 64 MiB"
near "$(free_bytes "$MNT")" "$(beneath)" $((16 * mib)) "free, as the disk says"
rm "$MNT/file"
is_free_again() {
    sync -f "$MNT"
    [ "$(free_bytes "$MNT")" -ge $((before - 8 * mib)) ]
}
wait_for 60 is_free_again
[ "$(stat -f -c %c "$MNT")" -gt 0 ] || fail "no inodes in all"
[ "$(stat -f -c %d "$MNT")" -gt 0 ] || fail "no inodes free"
umount "$MNT"
