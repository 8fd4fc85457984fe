# CASE: writes into blocks that are damaged are EIO to their writer, lose nothing beside them, and stop nobody else
# OPTIONS: compression=none,memory=64M,commit_interval=600
# PLAIN: no
# AFTER: none
import errno
import os

from damage import MNT, damage, find_in_segments, save

BLOCK = 256 << 10
COUNT = 12  # of files with 16 blocks each: more dirty data than the memory holds

content = save({f"old{i}": 16 * BLOCK for i in range(COUNT)})
with damage():
    os.unlink(find_in_segments(content["old0"][:64])[0])

other = os.open(f"{MNT}/other", os.O_WRONLY | os.O_CREAT)
for name in content:
    file = os.open(f"{MNT}/{name}", os.O_WRONLY)
    for block in range(16):
        os.pwrite(file, b"x", block * BLOCK + 1000)
    try:
        os.close(file)
    except OSError as error:
        assert error.errno == errno.EIO, f"close of {name}: {error}"
    else:
        raise AssertionError(f"{name} was closed in peace")
    os.write(other, b"written between two that fail")
os.fsync(other)
os.close(other)

for i in range(40):
    with open(f"{MNT}/new{i}", "wb") as file:
        file.write(b"hello" * 100_000)
os.rename(f"{MNT}/old0", f"{MNT}/renamed")
with open(os.environ["LOG"]) as log:
    lines = [line for line in log if "'old3'" in line and "lost" in line]
assert len(lines) == 1 and "from offset 1000" in lines[0], f"lines about old3: {lines}"

# A file that is restored in place becomes whole again.
with open(f"{MNT}/old5", "r+b", buffering=0) as file:
    for offset in range(0, len(content["old5"]), 100_000):
        file.write(content["old5"][offset:offset + 100_000])
with damage():
    pass
with open(f"{MNT}/old5", "rb") as file:
    assert file.read() == content["old5"], "a restored file is not what was written"
for i in range(40):
    with open(f"{MNT}/new{i}", "rb") as file:
        assert file.read() == b"hello" * 100_000
