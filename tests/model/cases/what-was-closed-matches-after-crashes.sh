# CASE: after random operations, close, and SIGKILL amid other writes, all is as on a plain directory
# OPTIONS: chunk_size=64K,compression=zstd:1,commit_interval=1
# NEEDS: root
# TIMEOUT: 240
. "$TFS_LIB"
mkdir "$WORK/reference"
"$PROGRAM" --test "$MNT" --reference "$WORK/reference" --threads 2 --rounds 10 --steps 700 \
    --after crash ${TFS_SEED:+--seed "$TFS_SEED"}
