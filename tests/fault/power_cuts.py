"""Cuts the power under working savers, again and again; cut.c says what a cut is."""

import os
import re
import shutil
import signal
import subprocess
import time

from fault_driver import (CRASH, CUT, JOURNAL, MNT, OPTIONS, PAGE, STORE, WORK, keep_for_looking, run,
                          seeded, session)
from mount_session import SessionError

RECORD, BASE = WORK + "/record", WORK + "/base"
GENERATION = 12  # cuts that one store lives through
PATIENCE_SECONDS = 20


class Tally:
    """What all cuts together lost and what had to be there."""

    def __init__(self):
        self.acknowledged = self.pending = self.lost_bytes = self.torn_writes = self.lost_names = 0
        self.repairs = 0
        self.places = {}

    def add_cut(self, said):
        found = dict(re.findall(r"(\w+) (\d+)", said))
        for name in ("lost_bytes", "torn_writes", "lost_names"):
            setattr(self, name, getattr(self, name) + int(found[name]))


def begin_anew():
    for path in (STORE, RECORD):
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    os.mkdir(STORE, 0o700)


def died(daemon):
    """Waits for the death that the page ordered; it comes by our own hand when the work is over."""
    try:
        return daemon.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False


def cut_while_mounting(daemon, dice):
    PAGE.cut_at = dice.randrange(1, 120)
    try:
        daemon.start()
    except (SessionError, OSError):
        assert PAGE.operations >= PAGE.cut_at, "it did not mount, and not because of the cut"
    return "mounting"


def work(seed):
    return subprocess.Popen([CRASH, "outlast", MNT, RECORD, str(seed)], cwd=MNT)


def cut_while_saving(daemon, dice, seed, least):
    daemon.start()
    PAGE.cut_at = PAGE.operations + int(10 ** dice.uniform(least, 3.5))
    saver = work(seed)
    died(daemon)
    daemon.kill()
    assert saver.wait(60) == 0, "a saver ended in another way than with its filesystem"
    return "saving"


def cut_while_unmounting(daemon, dice, seed):
    daemon.start()
    saver = work(seed)
    time.sleep(0.2 + 0.3 * dice.random())
    saver.kill()
    saver.wait()
    PAGE.cut_at = PAGE.operations + dice.randrange(1, 60)
    try:
        daemon.stop()
    except SessionError:
        assert PAGE.operations >= PAGE.cut_at, "it did not end well, and not because of the cut"
    return "unmounting"


def cut_once(dice, seed, tally, filling):
    """`filling`: the store is new, and shall have something to lose."""
    run("cp", "-a", "--sparse=always", STORE, BASE)
    PAGE.operations = PAGE.cut_at = 0
    # Without O_DIRECT segments are written side by side, and their files grow in other ways.
    daemon = session(journal=True, options=OPTIONS + dice.choice(("", ",nodirect")))
    way = 1 if filling else dice.random()
    if way < 0.15:
        place = cut_while_mounting(daemon, dice)
    elif way < 0.3:
        place = cut_while_unmounting(daemon, dice, seed)
    else:
        place = cut_while_saving(daemon, dice, seed, 3 if filling else 0.5)
    if daemon.process:
        daemon.kill()
    tally.places[place] = tally.places.get(place, 0) + 1
    shutil.rmtree(STORE)
    tally.add_cut(run(CUT, JOURNAL, BASE, STORE, str(seed)))
    shutil.rmtree(BASE)
    return place


def start_after_a_cut(daemon, tally):
    """Mounts what the cut has left. RocksDB refuses a manifest of which sectors are missing inside of its size, or whose
    name is lost while CURRENT's change is not; a repair goes back from there. Anything else that needs one fails."""
    try:
        daemon.start()
    except SessionError as err:
        if "MANIFEST-" not in str(err):
            raise
        done = subprocess.run([os.environ["TENSORFSCTL"], "check", "--repair", STORE], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 1 and "unless a power cut to" in done.stdout, f"{err}: {done}"
        tally.repairs += 1
        daemon.start()


def check(tally):
    """Mounts what the cut has left, without the layer, and leaves it unmounted in order."""
    daemon = session(layer=False)
    start_after_a_cut(daemon, tally)
    try:
        done = subprocess.run([CRASH, "check", MNT, RECORD], capture_output=True, text=True,
                              check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        assert done.returncode == 0, "the store does not hold what the record says"
        found = re.fullmatch(r"acknowledged (\d+) pending (\d+) wrong 0\n", done.stdout)
        tally.acknowledged += int(found.group(1))
        tally.pending += int(found.group(2))
        with open(MNT + "/written-again", "wb") as file:
            file.write(os.urandom(300000))
            file.flush()
            os.fsync(file.fileno())
    finally:
        daemon.stop()


def cut_and_check(cut, seed, dice, tally):
    if cut % GENERATION == 0:
        begin_anew()
    try:
        place = cut_once(dice, seed, tally, filling=cut % GENERATION == 1)
        print(f"cut {cut}: {place}", flush=True)
        check(tally)
    except (AssertionError, SessionError):
        print(f"cut {cut}, seed {seed} failed", flush=True)
        keep_for_looking(seed)
        raise


def cut_power(cuts):
    """Raises at the first thing that is wrong, and when there was too little to find wrong."""
    seed, dice = seeded()
    tally = Tally()
    for cut in range(cuts):
        cut_and_check(cut, seed + cut * 100, dice, tally)
    print(f"{cuts} cuts {tally.places}: {tally.acknowledged} acknowledged things found, "
          f"{tally.pending} pending ones right; lost {tally.lost_bytes} bytes and "
          f"{tally.lost_names} names, tore {tally.torn_writes} writes; {tally.repairs} torn manifests")
    assert tally.acknowledged > 20 * cuts, "hardly anything was ever acknowledged"
    assert tally.lost_bytes > 1000 * cuts, "nothing was lost"
    assert tally.lost_names > 0 or cuts < 100, "no name was lost"  # one in a few cuts
    assert tally.torn_writes > cuts // 10, "hardly a write was torn"
