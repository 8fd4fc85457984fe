# CASE: a full disk is ENOSPC to the writer and harms no earlier file; removing files frees room
# MOUNT: none
# NEEDS: root loop
# TIMEOUT: 240
. "$TFS_LIB"

small_disk 384M
store=$WORK/disk/store
options=compression=none,commit_interval=600 # what is removed must not need a commit to go
"$TENSORFS" -o $options "$store" "$MNT"

for i in 1 2 3 4; do
    random_file "$WORK/original-$i" 12000000
    cp "$WORK/original-$i" "$MNT/file-$i"
done
echo small >"$MNT/small"
sync -f "$MNT"
unharmed() {
    for i in 1 2 3 4; do
        [ ! -e "$MNT/file-$i" ] || cmp "$WORK/original-$i" "$MNT/file-$i" ||
            fail "file-$i is damaged $1"
    done
    expect_equal small "$(cat "$MNT/small")" "the small file $1"
}

goes_on() {
    cp "$WORK/original-1" "$MNT/again" 2>/dev/null && sync -f "$MNT" &&
        cmp "$WORK/original-1" "$MNT/again"
}

# fill NAME: write until the disk is full; the writer must be told before it closes in peace.
fill() {
    timeout 120 "$TFS_PYTHON" - "$MNT/$1" <<'PYTHON'
import errno, os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o644)
block = os.urandom(1 << 20)
try:
    for _ in range(400):
        os.write(file, block)
    os.fsync(file)
    os.close(file)
except OSError as error:
    sys.exit(0 if error.errno == errno.ENOSPC else f"{error} instead of ENOSPC")
sys.exit("400 MiB went onto a disk of 384 MiB")
PYTHON
}

for round in 1 2 3; do
    fill "filler-$round" || fail "round $round"
    unharmed "after the disk was full ($round)"
    ls -l "$MNT" >/dev/null
    rm "$MNT/filler-$round" || fail "a full disk does not let go of files"
    goes_on || fail "a removed file gives no room to the next one (round $round)"
    rm "$MNT/again"
done

# The same through a mapping, whose writes come when its file has neither a name nor a descriptor.
timeout 120 "$TFS_PYTHON" - "$MNT/mapped" <<'PYTHON' || fail "a mapping that fills the disk"
import mmap, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(file, 400 << 20)
mapped = mmap.mmap(file, 400 << 20)
block = os.urandom(1 << 20)
child = os.fork()
if child == 0:
    for offset in range(0, 400 << 20, 1 << 20):
        mapped[offset:offset + (1 << 20)] = block
    os._exit(0)
_, status = os.waitpid(child, 0)
# Pages may be written back while it stores, and what the disk cannot take is SIGBUS, as on ext4.
if status != 0 and not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS):
    sys.exit(f"the program that stores ended with wait status {status}")
try:
    os.close(file)
except OSError:
    pass # the disk is full
os.unlink(sys.argv[1])
mapped.close()
PYTHON
sync -f "$MNT" 2>/dev/null || true # tells once of what the mapping could not write
goes_on || fail "a removed mapping gives no room to the next file"
rm "$MNT/again"
unharmed "after a mapping filled the disk"

fill last || fail "the last filler"
umount "$MNT"
"$TENSORFS" -o $options "$store" "$MNT" || fail "a full store does not mount"
unharmed "after a remount of the full store"
rm "$MNT/last" "$MNT/file-2"
goes_on || fail "removed files give no room to the next one"
unharmed "at the end"
umount "$MNT"
