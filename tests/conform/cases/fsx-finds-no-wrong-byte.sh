# CASE: fsx finds every byte where it was put: a million operations with mappings, without, and direct
# LABELS: long
# NEEDS: root
# TIMEOUT: 14400
#
# FSX=PATH is the fsx of xfstests. FSX_OPERATIONS says how many for each of the nine runs, TFS_SEED
# with what seed.
. "$TFS_LIB"
. "$(dirname "$0")/../lib.sh"

fsx=$(given_program FSX fsx)
[ -n "$fsx" ] || no_copy FSX
operations=${FSX_OPERATIONS:-1000000}
seed=${TFS_SEED:-$((RANDOM + 1))}
echo "seed $seed"

# try NAME OPTION...: one run in a file of its own. What is closed and opened now and then, and
# compared as a whole at the end, is up to fsx.
try() {
    local name=$1
    shift
    mkdir -p "$WORK/fsx"
    "$fsx" -q -N "$operations" -S "$seed" -c 200 -P "$WORK/fsx" "$@" "$MNT/$name" >"$WORK/$name.log" 2>&1 ||
        fail "fsx $* -S $seed (chunk size and way: $name): $(tail -n 60 "$WORK/$name.log")"
    grep -q "^All $operations operations completed" "$WORK/$name.log" ||
        fail "fsx $* did not say that it is done: $(tail -n 3 "$WORK/$name.log")"
    echo "$name: $operations operations"
}

# Files of some chunks and more; operations that cross chunks now and then, and keep a run to minutes.
for shape in 4K:300000:65536 64K:400000:32768 4M:12000000:65536; do
    IFS=: read -r chunk_size length operation_size <<<"$shape"
    control remount "chunk_size=$chunk_size"
    try "$chunk_size-mapped" -l "$length" -o "$operation_size"
    try "$chunk_size-unmapped" -l "$length" -o "$operation_size" -R -W
    try "$chunk_size-direct" -l "$((length / 4096 * 4096))" -o "$operation_size" -Z -R -W \
        -r 4096 -w 4096 -t 4096
done
