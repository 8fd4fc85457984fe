# CASE: beside two writers of any kinds every reader finds what was completed, and no size too large
# OPTIONS: memory=128M,chunk_size=64K
# TIMEOUT: 240
. "$TFS_LIB"
"$PROGRAM" --dir "$MNT" --seconds 60 ${TFS_SEED:+--seed "$TFS_SEED"}
