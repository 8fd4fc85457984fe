# CASE: reads of what is in memory look no row up, however large they are
# OPTIONS: compression=none,memory=256M
# PLAIN: no
# AFTER: none
import json
import mmap
import os

MNT = os.environ["MNT"]
MIB = 1 << 20
SIZE = 16 * MIB


def looked_up():
    return json.loads(os.getxattr(MNT, "user.tensorfs.stats"))["rows"]["looked_up"]


with open(f"{MNT}/file", "wb") as file:
    file.write(os.urandom(SIZE))
    file.flush()
    os.fsync(file.fileno())

file = os.open(f"{MNT}/file", os.O_RDONLY | os.O_DIRECT)  # past the kernel's cache
buffer = mmap.mmap(-1, MIB)


def read_all(size):
    for offset in range(0, SIZE, size):
        assert os.preadv(file, [memoryview(buffer)[:size]], offset) == size


read_all(MIB)
before = looked_up()
read_all(MIB)
read_all(4096)
assert looked_up() == before, f"{looked_up() - before} rows were looked up for what is cached"
os.close(file)
