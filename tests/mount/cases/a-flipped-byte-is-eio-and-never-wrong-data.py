# CASE: a byte flipped in a segment is EIO and a log line naming the file; all else reads right
# OPTIONS: compression=none
# PLAIN: no
import os

from damage import damage, expect_intact, find_in_segments, read_piecewise, flip, save

files = save({"victim": 3_000_000, "before": 700_000, "after": 700_000, "small": 1000})
at = len(files["victim"]) // 2
with damage():
    flip(find_in_segments(files["victim"][at:at + 64]))

good, bad = read_piecewise("victim", files["victim"])
assert bad, "the flipped byte was not noticed"
assert good, "one flipped byte made the whole file unreadable"
assert any(start <= at < start + 4096 for start in bad), f"EIO at {bad}, flipped at {at}"
with open(os.environ["LOG"], encoding="utf-8", errors="replace") as log:
    assert any("victim" in line for line in log), "no log line names the file"
expect_intact(files, except_for=["victim"])

# The damage stays where it is: the name can go, and a new file of that name is whole.
os.unlink(os.environ["MNT"] + "/victim")
files.update(save({"victim": 2_000_000}))
with damage():
    pass
expect_intact(files)
