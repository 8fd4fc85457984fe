# CASE: a million random operations with remounts and crashes match plain directories
# LABELS: long
# OPTIONS: chunk_size=64K
# NEEDS: root
# TIMEOUT: 7200
. "$TFS_LIB"
for after in remount crash; do
    mkdir "$WORK/reference-$after" "$MNT/$after"
    "$PROGRAM" --test "$MNT/$after" --reference "$WORK/reference-$after" --threads 4 --rounds 50 \
        --steps 2500 --after $after ${TFS_SEED:+--seed "$TFS_SEED"}
done
