# CASE: a file of 20,000 records is truncated and punched at once, and nobody who makes files meanwhile waits
# OPTIONS: chunk_size=256K
# TIMEOUT: 300
import ctypes
import os
import threading
import time

ROW = 256 * 1024
ROWS = 20000
SECONDS = 2  # before a cut was one record: 11 for the file, and as long for all others
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2

mount = os.environ["MNT"]
libc = ctypes.CDLL(None, use_errno=True)
worst = 0.0
stop = threading.Event()


def write_rows(path):
    with open(path, "wb", buffering=0) as file:
        for row in range(ROWS):
            os.pwrite(file.fileno(), b"0123456789abcdef", row * ROW)
        os.fsync(file.fileno())


def make_small_files():
    global worst
    number = 0
    while not stop.is_set():
        begin = time.monotonic()
        with open(f"{mount}/small{number}", "wb") as file:
            file.write(b"x" * 100)
        worst = max(worst, time.monotonic() - begin)
        number += 1
        time.sleep(0.01)


def timed(what, action):
    begin = time.monotonic()
    result = action()
    took = time.monotonic() - begin
    print(f"{what}: {took:.3f} s")
    assert took < SECONDS, f"{what} took {took:.1f} s"
    return result


def punch(file):
    assert libc.fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ctypes.c_long(ROW),
                          ctypes.c_long((ROWS - 2) * ROW)) == 0, os.strerror(ctypes.get_errno())


large = f"{mount}/large"
write_rows(large)
others = threading.Thread(target=make_small_files)
others.start()
file = timed("open with O_TRUNC", lambda: os.open(large, os.O_WRONLY | os.O_TRUNC))
timed("its close", lambda: os.close(file))
time.sleep(1)
stop.set()
others.join()
print(f"a small file's create, write and close took up to {worst:.3f} s")
assert worst < SECONDS, f"others waited {worst:.1f} s"
os.truncate(large, ROWS * ROW)
with open(large, "rb", buffering=0) as reader:
    for row in range(0, ROWS, 50):
        assert os.pread(reader.fileno(), 16, row * ROW) == bytes(16), f"row {row} came back"

write_rows(large)
file = os.open(large, os.O_RDWR)
timed("punching", lambda: punch(file))
assert os.pread(file, 16, 0) == os.pread(file, 16, (ROWS - 1) * ROW) == b"0123456789abcdef"
for row in range(1, ROWS - 1, 50):
    assert os.pread(file, 16, row * ROW) == bytes(16), f"row {row} was not punched"
os.close(file)
