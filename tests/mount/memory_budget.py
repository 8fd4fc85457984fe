"""For cases about memory=: write and read more than the budget, look at the daemon's peak."""

import hashlib
import os
import random
import subprocess
import threading

MNT = os.environ["MNT"]
MIB = 1 << 20
BLOCK = random.Random(7).randbytes(8 * MIB)


def ask(command):
    runner = [os.environ["TFS_PYTHON"], os.environ["TFS_RUNNER"]]
    done = subprocess.run(runner + ["--control", command], check=True, text=True,
                          capture_output=True)
    return done.stdout.strip()


def peak_bytes():
    """VmHWM of the daemon."""
    with open(f"/proc/{ask('pid')}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def block_of(path, index):
    """Another block for each place, made at the speed of memory."""
    return hashlib.sha256(f"{path}:{index}".encode()).digest() + BLOCK[32:]


def write(path, blocks):
    with open(path, "wb", buffering=0) as file:
        for index in range(blocks):
            assert file.write(block_of(path, index)) == len(BLOCK)
        os.fsync(file.fileno())


def read(path, blocks):
    with open(path, "rb", buffering=0) as file:
        for index in range(blocks):
            wanted = block_of(path, index)
            got = bytearray()
            while len(got) < len(wanted):
                piece = file.read(len(wanted) - len(got))
                assert piece, f"{path} ends early"
                got += piece
            assert got == wanted, f"block {index} of {path} differs"


def in_parallel(function, paths, blocks):
    failures = []

    def guarded(path):
        try:
            function(path, blocks)
        except BaseException as error:  # reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def check(total_bytes, limit_bytes, files=4):
    """Write and read total_bytes in `files` files at once; the daemon stays below the limit."""
    blocks = total_bytes // files // len(BLOCK)
    paths = [f"{MNT}/file-{i}" for i in range(files)]
    in_parallel(write, paths, blocks)
    written = peak_bytes()
    in_parallel(read, paths, blocks)
    print(f"wrote and read {total_bytes // MIB} MiB: peak {written // MIB} MiB after writing, "
          f"{peak_bytes() // MIB} MiB in the end, limit {limit_bytes // MIB} MiB")
    ask("remount")
    in_parallel(read, paths, blocks)
    print(f"after a remount and another read: {peak_bytes() // MIB} MiB")
    if os.environ.get("TFS_SANITIZED") == "1":
        print("a sanitizer's memory is not ours: the limit is not checked")
        return
    assert max(written, peak_bytes()) < limit_bytes, "more memory than allowed"
