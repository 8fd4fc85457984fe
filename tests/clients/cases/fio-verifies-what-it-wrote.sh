# CASE: fio verifies random writes by read(), mmap and asynchronous direct I/O, also after a remount
# NEEDS: fio
# TIMEOUT: 240
. "$TFS_LIB"

# job NAME OPTION...: writes with checksums and verifies them; again after the remount.
job() {
    local name=$1
    shift
    fio --name="$name" --directory="$MNT" --size=24M --verify=crc32c --verify_fatal=1 \
        --randrepeat=1 --bsrange=4k-64k --fallocate=none --output="$WORK/$name.log" "$@" ||
        fail "fio $name: $(tail -5 "$WORK/$name.log")"
}

all_jobs() {
    job sequential --rw=write --ioengine=psync --bs=1M "$@"
    job random --rw=randwrite --ioengine=psync "$@"
    job mapped --rw=randwrite --ioengine=mmap --bs=4k "$@"
    job direct --rw=randwrite --ioengine=libaio --direct=1 --iodepth=16 --bs=4k "$@"
    job mixed --rw=randwrite --ioengine=psync --numjobs=1 --fsync=50 --bs=16k "$@"
}

all_jobs --do_verify=1
control remount
all_jobs --verify_only=1
