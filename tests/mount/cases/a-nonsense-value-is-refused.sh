# CASE: a value that an option cannot have is one clear line that names the option, and exit 1
# MOUNT: none
. "$TFS_LIB"

new=$WORK/new-store
for setting in chunk_size=0 chunk_size=255 chunk_size=257 chunk_size=100000 chunk_size=128M \
    chunk_size=-4096 chunk_size=4Q chunk_size=1MM chunk_size=four chunk_size= chunk_size=1e6 \
    chunk_size=18446744073709551616 chunk_size=99999999999999G chunk_size \
    compression=lzma compression= compression=gzip:0 compression=gzip:10 compression=gzip:x \
    compression=zstd:20 compression=zstd: compression=zstd:-1 compression=none:1 \
    compression=zstd:1:2 \
    concurrency=0 concurrency=1025 concurrency=many concurrency=-1 \
    threads=-1 threads=x threads=1000000 \
    memory=x memory=-1 memory=4K memory=99999999999999G \
    cache=banana commit_interval=-1 commit_interval=soon; do
    refused "${setting%%=*}" "$new" "$MNT" -- -o "$setting" "$new" "$MNT"
done
refused chunk_size "$new" "$MNT" -- --chunk_size=300 "$new" "$MNT"
