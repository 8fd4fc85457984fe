"""Savers and readers at work for a long time: what the daemon uses, and what the store takes, goes
back to where it was each time that everything is removed.

TFS_SOAK_SECONDS makes it shorter or longer.
"""

import glob
import json
import os
import shutil
import subprocess
import time

from fault_driver import CRASH, MNT, STORE, WORK, session, wait_until
from mount_session import SessionError

SEED = 20260
ROUND_SECONDS = 8
WARM_UP_ROUNDS = 3  # pools, caches and the index's files have their size by then
RECORD = WORK + "/record"
MIB = 1 << 20
SEGMENTS_EMPTY = 66 * MIB  # the space that is allocated ahead, at most 64 MiB
# An allocator keeps some, and RocksDB's tables and logs come and go.
MEMORY_SPREAD, CLOSED_STORE = 48 * MIB, 24 * MIB
INDEX_FILES_MAX = 100


def used(pid):
    """(bytes of memory, open files, of them tables and logs of the index) of the daemon."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    targets = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            pass  # closed since
    index = sum("/index/" in target for target in targets)
    return resident * 1024, len(targets), index


def disk_bytes(path):
    total = 0
    for name in glob.glob(path + "/**", recursive=True):
        try:
            total += os.lstat(name).st_blocks * 512
        except FileNotFoundError:
            pass  # RocksDB removes what it no longer needs
    return total


def live_bytes():
    return json.loads(os.getxattr(MNT, "user.tensorfs.stats"))["live_bytes"]


def read_everything():
    """By a check of each byte, and once more from the disk, past the kernel's cache."""
    done = subprocess.run([CRASH, "check", MNT, RECORD], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as knob:
        knob.write("3")
    subprocess.run(["tar", "-C", MNT, "-cf", "/dev/null", "."], check=True)
    return int(done.stdout.split()[1])


def remove_everything():
    for name in os.listdir(MNT):
        path = f"{MNT}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    os.unlink(RECORD)
    directory = os.open(MNT, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    wait_until(lambda: live_bytes() == 0 and disk_bytes(STORE + "/segments") < SEGMENTS_EMPTY,
               "the space of all files", 60)


def one_round(number, seconds):
    """Things that had been acknowledged and were found."""
    saver = subprocess.Popen([CRASH, "save", MNT, RECORD, str(SEED + number * 100)], cwd=MNT)
    time.sleep(seconds)
    assert saver.poll() is None, "the savers ended by themselves"
    saver.kill()
    saver.wait()
    found = read_everything()
    remove_everything()
    return found


def compare(first, last):
    memory = last[0] - first[0]
    files = (last[1] - last[2]) - (first[1] - first[2])
    assert files <= 0, f"{files} open files more than at the beginning"
    assert last[2] < INDEX_FILES_MAX, f"{last[2]} open files of the index"
    assert memory < MEMORY_SPREAD, f"{memory >> 20} MiB of memory more than at the beginning"


def soak(seconds):
    """Ends before `seconds` are over, but does the warm-up and two rounds at least."""
    seconds = float(os.environ.get("TFS_SOAK_SECONDS", seconds))
    daemon = session(layer=False)
    daemon.start()
    first, found, number = None, 0, 0
    deadline = time.monotonic() + seconds
    try:
        while number < WARM_UP_ROUNDS + 2 or time.monotonic() < deadline:
            found += one_round(number, ROUND_SECONDS)
            number += 1
            last = used(daemon.process.pid)
            print(f"round {number}: {last[0] >> 20} MiB of memory, {last[1]} files "
                  f"({last[2]} of the index), "
                  f"{disk_bytes(STORE) >> 10} KiB of disk", flush=True)
            if number == WARM_UP_ROUNDS:
                first = last
        compare(first, last)
        assert found > 100 * number, "hardly anything was ever saved"
        daemon.stop()
        left = disk_bytes(STORE)
        assert left < CLOSED_STORE, f"an empty store takes {left >> 20} MiB"
        print(f"{number} rounds, {found} acknowledged things found, {left >> 10} KiB left")
    except (AssertionError, OSError, SessionError):
        if daemon.process:
            daemon.kill()
        raise
