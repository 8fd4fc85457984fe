# CASE: cp --sparse, --reflink and -a keep every byte, and holes take no room
. "$TFS_LIB"

random_file "$WORK/noise" 3000001
truncate -s 100M "$WORK/sparse"
dd if="$WORK/noise" of="$WORK/sparse" bs=1M seek=40 conv=notrunc status=none
head -c 20000000 /dev/zero >"$WORK/zeros"

for file in noise sparse zeros; do
    for way in --sparse=always --sparse=auto --sparse=never --reflink=auto -a; do
        cp $way "$WORK/$file" "$MNT/$file$way"
        cmp "$WORK/$file" "$MNT/$file$way"
        cp $way "$MNT/$file$way" "$MNT/copy-of-$file$way" # within the mount: copy_file_range
        cmp "$WORK/$file" "$MNT/copy-of-$file$way"
    done
done
sync -f "$MNT"
for file in sparse--sparse=always copy-of-sparse--sparse=always zeros--sparse=always; do
    kib=$(($(stat -c %b "$MNT/$file") / 2))
    [ $kib -lt 8192 ] || fail "$file has $kib KiB"
done
control remount
for file in noise sparse zeros; do
    for copy in "$MNT/$file"-* "$MNT/copy-of-$file"-*; do
        cmp "$WORK/$file" "$copy"
    done
done
