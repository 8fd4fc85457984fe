# CASE: tensorfsctl scrub lists damaged ranges by path, on a live mount and on a store, keeps its rate and goes on where it stopped
# OPTIONS: compression=none
# PLAIN: no
# AFTER: none
import json
import os
import signal
import subprocess
import time

from damage import damage, find_in_segments, flip, save

MNT, STORE, TOOL = os.environ["MNT"], os.environ["STORE"], os.environ["TENSORFSCTL"]
BLOCK = 256 * 1024


def scrub(*arguments, status):
    done = subprocess.run([TOOL, "scrub", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout


def scrub_when_it_is_free():
    """The mount notices within moments that who asked for the last run is gone."""
    deadline = time.monotonic() + 30
    while True:
        done = subprocess.run([TOOL, "--json", "scrub", MNT], capture_output=True, text=True,
                              timeout=120)
        if "already" not in done.stderr or time.monotonic() > deadline:
            return done.stdout
        time.sleep(0.05)


files = save({"victim": 3_000_000, "whole": 700_000})
whole = json.loads(scrub("--json", MNT, status=0))
assert whole["damaged"] == 0 and whole["damage"] == [] and whole["bytes"] >= 3_700_000, whole

at = len(files["victim"]) // 2
with damage():
    flip(find_in_segments(files["victim"][at:at + 64]))
    not_mounted = json.loads(scrub("--json", "--deep", STORE, status=1))
mounted = json.loads(scrub("--json", MNT, status=1))
for found in (not_mounted, mounted):
    (damaged,) = found["damage"]
    assert damaged["path"] == "/victim" and damaged["size"] == BLOCK, found
    assert damaged["offset"] == at // BLOCK * BLOCK, found
first = at // BLOCK * BLOCK
assert f"/victim: bytes {first}-{first + BLOCK - 1}: " in scrub(STORE, status=1)

# Stopped by a signal it leaves its place, and the next one goes on there.
save({"more": 12_000_000})
slow = subprocess.Popen([TOOL, "scrub", "--rate=4M", MNT], stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
time.sleep(0.5)
slow.send_signal(signal.SIGINT)
slow.communicate(timeout=60)
assert slow.returncode == 128 + signal.SIGINT, slow.returncode
for resumed in (True, False):
    answer = json.loads(scrub_when_it_is_free())
    assert answer["resumed"] == resumed and answer["bytes"] > 1_000_000, answer
