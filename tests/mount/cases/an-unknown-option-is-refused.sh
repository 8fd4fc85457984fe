# CASE: an unknown option is one clear line and exit 1, however it is written
# MOUNT: none
. "$TFS_LIB"

new=$WORK/new-store
said="unknown.*(nonsense|chunksize|allow_others|Compression)"
for option in "-o nonsense" "-o nonsense=1" "--nonsense" "--nonsense=1" "-o chunksize=1M" \
    "-o chunk_size=1M,nonsense" "-o allow_others" "-o Compression=none"; do
    # shellcheck disable=SC2086
    refused "$said" "$new" "$MNT" -- $option "$new" "$MNT"
    # shellcheck disable=SC2086
    refused "$said" "$new" "$MNT" -- "$new" "$MNT" $option
done
refused "." "$new" "$MNT" -- "$new" "$MNT" one-too-many
