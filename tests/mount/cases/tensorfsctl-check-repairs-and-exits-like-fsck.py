# CASE: tensorfsctl check exits like fsck, refuses a mounted store, corrects counts and lists what is lost by path and range
# OPTIONS: compression=none
# PLAIN: no
# AFTER: none
import json
import os
import subprocess

from damage import control, damage, expect_intact, find_in_segments, flip, save

MNT, STORE, TOOL = os.environ["MNT"], os.environ["STORE"], os.environ["TENSORFSCTL"]


def check(*arguments, status):
    done = subprocess.run([TOOL, "check", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done


files = save({"victim": 3_000_000, "whole": 700_000, "small": 1000})
for target in (MNT, STORE):
    for repair in ([], ["--repair"]):
        refused = check(*repair, target, status=8)
        assert refused.stderr.count("\n") == 1 and not refused.stdout, refused

with damage():
    clean = json.loads(check("--json", STORE, status=0).stdout)
    assert clean["files"] == 3 and clean["names"] == 3 and clean["problems"] == [], clean
    assert clean["contents_read"] is False, clean
    said = check("--repair", STORE, status=0).stdout
    assert "clean" in said and "tensorfsctl scrub" in said, said

    # The header of the frame: in the page before its bytes, in a frame of what does not compress.
    path, at = find_in_segments(files["victim"][:64])
    flip((path, at - 4096 + 20))
    for repair in ([], ["--repair"]):
        found = json.loads(check("--json", *repair, STORE, status=4).stdout)
        assert found["left"] == 0 and found["unreadable"] == 1, found
        (problem,) = found["problems"]
        assert problem["path"] == "/victim" and problem["outcome"] == "unreadable", problem
        assert problem["offset"] == 0 and problem["size"] == len(files["victim"]), problem
    assert "/victim: bytes 0-2999999: " in check(STORE, status=4).stdout

expect_intact(files, except_for=["victim"])
check(status=16)
check("--nonsense", STORE, status=16)
check(os.environ["WORK"], status=8)
check("--help", status=0)
