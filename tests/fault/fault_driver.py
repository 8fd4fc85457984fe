"""A daemon over the fault layer: what all cases here share.

The case mounts by itself ("MOUNT: none"), since the runner knows nothing of the layer.
"""

import errno
import mmap
import os
import random
import struct
import subprocess
import time

from mount_session import Session

MNT, WORK, STORE = os.environ["MNT"], os.environ["WORK"], os.environ["STORE"]
CUT = os.environ["PROGRAM"]
HERE = os.path.dirname(CUT)
LAYER = os.path.join(HERE, "libfault_layer.so")
CRASH = os.path.join(os.path.dirname(HERE), "crash", "crash")
OPTIONS = "allow_other,default_permissions,commit_interval=1"

# struct fault_page and its enums, tests/fault/fault.h
WORDS = ("armed", "kind", "part", "error", "first", "every", "seen", "failed", "operations",
         "cut_at")
KINDS = {name: number for number, name in enumerate(
    ("open", "read", "write", "sync", "size", "name", "memory", "thread", "change"), 1)}
PARTS = {name: number for number, name in enumerate(("anywhere", "segments", "index", "rest"))}
HALF = 0


class Page:
    """The page by the names of its words."""

    def __init__(self, path):
        with open(path, "wb+") as file:
            file.truncate(mmap.PAGESIZE)
            self.__dict__["memory"] = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def __getattr__(self, name):
        return struct.unpack_from("Q", self.memory, 8 * WORDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("Q", self.memory, 8 * WORDS.index(name), value)

    def arm(self, kind, part="anywhere", error=errno.EIO, first=1, every=0):
        """From now on call `first` of this kind fails, and after it every `every`th."""
        self.armed = 0
        self.kind, self.part, self.error = KINDS[kind], PARTS[part], error
        self.first, self.every = first, every
        self.seen = self.failed = 0
        self.armed = 1

    def disarm(self):
        """How many calls failed."""
        self.armed = 0
        return self.failed


PAGE = Page(WORK + "/page")
JOURNAL = WORK + "/journal"


def session(layer=True, journal=False, options=OPTIONS, store=STORE):
    """A daemon that is not started yet."""
    made = Session(os.environ["TENSORFS"], store, MNT, options, os.environ["LOG"])
    if layer:
        made.environment = dict(os.environ, LD_PRELOAD=LAYER, TFS_FAULT_STORE=store,
                                TFS_FAULT_PAGE=WORK + "/page")
        if journal:
            made.environment["TFS_FAULT_JOURNAL"] = JOURNAL
    return made


def seeded():
    """(seed, dice): printed, and taken back from TFS_SEED."""
    seed = int(os.environ.get("TFS_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}: give it back with TFS_SEED={seed}", flush=True)
    return seed, random.Random(seed)


def run(*command):
    """Its output; the case ends when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_until(done, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def flip(count):
    """Bit rot is read by the engine alone: see bit_rot.c."""
    subprocess.run([os.path.join(HERE, "bit_rot"), WORK, str(count)], check=True)


def keep_for_looking(seed):
    """Copies a failed case's folder into $TFS_FAULT_KEEP, before it is removed."""
    kept = os.environ.get("TFS_FAULT_KEEP")
    if kept:
        subprocess.run(["cp", "-a", WORK, f"{kept}/{seed}"], check=False)
