# CASE: random operations on one thread answer and end as on a plain directory, through remounts
# OPTIONS: chunk_size=64K,compression=zstd:1
# NEEDS: root
# TIMEOUT: 240
. "$TFS_LIB"
mkdir "$WORK/reference"
"$PROGRAM" --test "$MNT" --reference "$WORK/reference" --rounds 8 --steps 2500 --after remount \
    ${TFS_SEED:+--seed "$TFS_SEED"}
