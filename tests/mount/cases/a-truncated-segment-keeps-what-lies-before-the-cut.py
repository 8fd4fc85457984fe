# CASE: with a segment cut short the store mounts, what lies before the cut is fine, the rest is EIO
# OPTIONS: compression=none
# PLAIN: no
import os

from damage import damage, expect_intact, find_in_segments, read_piecewise, save

files = save({"first": 2_000_000})
files.update(save({"second": 2_000_000, "small": 1000}))
with damage():
    path, cut = find_in_segments(files["second"][1_000_000:1_000_064])
    other, first = find_in_segments(files["first"][1_999_900:1_999_964])
    os.truncate(path, cut)
assert read_piecewise("second", files["second"])[1], "half a file was read whole"
spared = ["small"] if other == path and first > cut else ["small", "first"]
expect_intact({name: files[name] for name in spared})

files.update(save({"third": 2_000_000}))  # must not be laid where the lost frames are looked for
read_piecewise("second", files["second"])
with damage():
    pass
expect_intact(files, except_for=["second"] + [n for n in ("first",) if n not in spared])
os.unlink(os.environ["MNT"] + "/second")
