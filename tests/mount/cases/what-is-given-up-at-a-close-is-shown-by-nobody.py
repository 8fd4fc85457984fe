# CASE: bytes that a close has given up are not shown from the kernel's pages either
# OPTIONS: compression=none,memory=64M,commit_interval=600
# PLAIN: no
# AFTER: none
import errno
import os
import random
import time

from damage import MNT, find_in_segments, flip, save

PAGE = 4096
CACHED = 256 << 10  # what the store keeps or drops at a time
SIZE = 64 << 20

content = save({"old": 1 << 20, "large": SIZE})

# Opened for both, so its pages are in the page cache. What the store has of it is driven out of its
# cache, so that the damage meets the write of a part of a page.
file = os.open(f"{MNT}/old", os.O_RDWR)
assert os.pread(file, PAGE, 0) == content["old"][:PAGE]
with open(f"{MNT}/large", "rb", buffering=0) as large:
    os.posix_fadvise(large.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
    for i in random.sample(range(SIZE // CACHED), SIZE // CACHED):
        os.pread(large.fileno(), PAGE, i * CACHED)
flip(find_in_segments(content["old"][:64]))
assert os.pwrite(file, b"x", 1000) == 1
assert os.pread(file, 1, 1000) == b"x", "what was written is shown while the file is open"
try:
    os.close(file)
except OSError as error:
    assert error.errno == errno.EIO, f"close: {error}"
else:
    raise AssertionError("the file was closed in peace")


def shown():
    """What the page shows now: its bytes, or None where they cannot be read."""
    with open(f"{MNT}/old", "rb", buffering=0) as reader:
        try:
            return os.pread(reader.fileno(), PAGE, 0)
        except OSError as error:
            assert error.errno == errno.EIO, f"read: {error}"
            return None


# RELEASE comes after close(2), and what it gave up is told behind it.
deadline = time.monotonic() + 30
while shown() is not None and time.monotonic() < deadline:
    time.sleep(0.01)
assert shown() is None, "the page shows bytes that the store does not have"
