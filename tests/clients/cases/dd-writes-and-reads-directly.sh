# CASE: dd with O_DIRECT, O_SYNC, seek, skip and append writes and reads the right bytes
. "$TFS_LIB"

random_file "$WORK/original" $((8 << 20))
dd if=/dev/zero of="$MNT/probe" bs=4k count=1 oflag=direct status=none 2>/dev/null ||
    { [ "$TFS_PLAIN" = 1 ] && skip "no O_DIRECT on this plain directory"; }

for size in 4k 64k 256k 1M 3M; do
    dd if="$WORK/original" of="$MNT/direct-$size" bs=$size oflag=direct status=none
    cmp "$WORK/original" "$MNT/direct-$size"
    dd if="$MNT/direct-$size" of="$WORK/back" bs=$size iflag=direct status=none
    cmp "$WORK/original" "$WORK/back"
done
dd if="$WORK/original" of="$MNT/synced" bs=256k oflag=sync status=none
dd if="$WORK/original" of="$MNT/fsynced" bs=1M conv=fsync status=none
dd if="$WORK/original" of="$MNT/nocache" bs=1M oflag=direct,dsync status=none

# Pieces in any order, then one appended.
cp "$WORK/original" "$WORK/pieces"
for at in 1999 3 700 1024 0; do
    dd if="$WORK/original" of="$MNT/pieces" bs=4k skip=$at seek=$at count=17 conv=notrunc \
        oflag=direct status=none
done
for at in 1999 3 700 1024 0; do
    cmp -n $((17 * 4096)) -i $((at * 4096)) "$WORK/original" "$MNT/pieces"
done
dd if="$WORK/original" of="$MNT/fsynced" bs=1M count=1 oflag=append conv=notrunc status=none
expect_equal $((9 << 20)) "$(stat -c %s "$MNT/fsynced")" "size after appending"

control remount
for file in direct-4k direct-3M synced nocache; do
    cmp "$WORK/original" "$MNT/$file"
    dd if="$MNT/$file" bs=1M iflag=direct status=none | cmp "$WORK/original" -
done
cmp -n $((1 << 20)) -i 0:$((8 << 20)) "$WORK/original" "$MNT/fsynced"
