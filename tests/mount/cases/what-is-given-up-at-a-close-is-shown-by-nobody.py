# CASE: bytes that a close has given up are not shown from the kernel's pages either
# OPTIONS: compression=none,memory=64M,commit_interval=600
# PLAIN: no
# AFTER: none
import errno
import os
import time

from damage import MNT, damage, find_in_segments, save

PAGE = 4096

content = save({"old": 1 << 20})
with damage():
    os.unlink(find_in_segments(content["old"][:64])[0])

# Opened for both, so the page that is written stays in the page cache.
file = os.open(f"{MNT}/old", os.O_RDWR)
assert os.pwrite(file, b"x" * PAGE, 0) == PAGE
assert os.pread(file, PAGE, 0) == b"x" * PAGE, "what was written is shown while the file is open"
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
