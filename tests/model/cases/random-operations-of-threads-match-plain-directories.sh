# CASE: random operations of six threads answer and end as on plain directories
# OPTIONS: memory=128M
# NEEDS: root
# TIMEOUT: 240
. "$TFS_LIB"
mkdir "$WORK/reference"
"$PROGRAM" --test "$MNT" --reference "$WORK/reference" --threads 6 --rounds 3 --steps 1500 \
    --after remount ${TFS_SEED:+--seed "$TFS_SEED"}
