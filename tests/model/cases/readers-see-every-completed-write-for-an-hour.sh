# CASE: for an hour, with a loaded machine, every reader finds what was completed
# LABELS: long
# OPTIONS: memory=128M
# TIMEOUT: 4500
. "$TFS_LIB"
for _ in $(seq "$(nproc)"); do
    while :; do :; done &
done
trap 'kill $(jobs -p)' EXIT
"$PROGRAM" --dir "$MNT" --seconds 3600 ${TFS_SEED:+--seed "$TFS_SEED"}
