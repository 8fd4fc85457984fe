# CASE: what a full disk cannot take of a mapping is an error to all who have the file open
# MOUNT: none
# NEEDS: root loop
# TIMEOUT: 240
. "$TFS_LIB"

small_disk 256M
store=$WORK/disk/store
"$TENSORFS" -f "$store" "$MNT" 2>"$WORK/log" &
daemon=$!
wait_for 30 mountpoint -q "$MNT"

# Store through a mapping more than the disk has, and never flush: a signal at a page that is lost,
# or the error of one of the calls that follow; and never bytes that the store does not have.
cat >"$WORK/mapped.py" <<'PYTHON'
import errno, mmap, os, sys, time
SIZE = 400 << 20
path = sys.argv[1]
file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(file, SIZE)
reader = os.open(path, os.O_RDONLY)
writer = os.open(path, os.O_WRONLY)
mapped = mmap.mmap(file, SIZE)
for offset in range(0, SIZE, 1 << 20):
    mapped[offset:offset + (1 << 20)] = os.urandom(1 << 20)
try:
    os.close(file)
    sys.exit("close(2) of a file that lost data succeeded")
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
errors = 0
for call in (lambda: os.fsync(writer), lambda: [os.pread(reader, 1 << 20, offset)
                                                for offset in range(0, SIZE, 1 << 20)]):
    try:
        call()
    except OSError as error:
        errors += error.errno in (errno.ENOSPC, errno.EIO)
if errors != 2:
    sys.exit(f"{errors} of 2 calls on other descriptors were told")
print("told by calls")
for offset in range(0, SIZE, mmap.PAGESIZE):
    mapped[offset]
sys.exit("all of the mapping can be read")
PYTHON
status=0
timeout 200 "$TFS_PYTHON" "$WORK/mapped.py" "$MNT/mapped" >"$WORK/out" || status=$?
# 135: SIGBUS, while storing or at the end
expect_equal 135 "$status" "exit status ($(cat "$WORK/out"))"
grep -q "file 'mapped' (inode [0-9]*): what was stored through a mapping is lost" "$WORK/log" ||
    fail "no line names the file: $(cat "$WORK/log")"
expect_equal 1 "$(grep -c "is lost" "$WORK/log")" "lines about one file"

shown=$(sha256sum <"$MNT/mapped")
umount "$MNT"
wait "$daemon" || true
"$TENSORFS" "$store" "$MNT"
expect_equal "$shown" "$(sha256sum <"$MNT/mapped")" "what was shown, and what is there"
umount "$MNT"
