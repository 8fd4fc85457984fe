"""Kills the daemon under working savers, again and again, and checks what is left each time.

They work apart ("save") or on the same files together ("share")."""

import os
import random
import re
import signal
import subprocess
import time

MNT, WORK, PROGRAM = os.environ["MNT"], os.environ["WORK"], os.environ["PROGRAM"]
PLAIN = os.environ["TFS_PLAIN"] == "1"
RECORD = WORK + "/record"
SECONDS = {"save": [0.1, 0.5, 1, 2], "share": [0.5, 1, 2]}  # of work, about, before a kill


def control(command):
    subprocess.run([os.environ["TFS_PYTHON"], os.environ["TFS_RUNNER"], "--control", command],
                   check=True)


def check():
    """(acknowledged, pending) things that were found right; anything wrong ends the case."""
    done = subprocess.run([PROGRAM, "check", MNT, RECORD], capture_output=True, text=True,
                          check=False)
    print(done.stdout + done.stderr, end="", flush=True)
    assert done.returncode == 0, "the filesystem does not hold what the record says"
    found = re.fullmatch(r"acknowledged (\d+) pending (\d+) wrong 0\n", done.stdout)
    return int(found.group(1)), int(found.group(2))


def work_and_die(how, seed, seconds):
    """Savers at work for a moment, then SIGKILL for the daemon (on a plain directory, for them)."""
    saver = subprocess.Popen([PROGRAM, how, MNT, RECORD, str(seed)], cwd=MNT)
    time.sleep(seconds)
    status = saver.poll()
    assert status is None, f"the savers ended with {status} although nobody was killed"
    if PLAIN:
        saver.kill()
        assert saver.wait() == -signal.SIGKILL
        return
    control("kill9")
    assert saver.wait(60) == 0, "a saver ended in another way than with its filesystem"


def run(kills, how="save", later=""):
    """later: options of the mounts after the first, instead of the case's."""
    seed = int(os.environ.get("TFS_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}: give it back with TFS_SEED={seed}")
    dice = random.Random(seed)
    acknowledged = pending = 0
    for kill in range(kills):
        work_and_die(how, seed + kill * 100, dice.choice(SECONDS[how]) * (0.5 + dice.random()))
        if dice.random() < 0.25 and not PLAIN:
            control(f"die-mounting {dice.random() * 0.1}")  # a crash in the middle of recovery
        if not PLAIN:
            control(f"mount {later}")
        found = check()
        acknowledged += found[0]
        pending += found[1]
    print(f"{kills} kills, {acknowledged} acknowledged things found, {pending} pending ones right")
    assert acknowledged > 20 * kills, "hardly anything was ever acknowledged: nothing is proven"
