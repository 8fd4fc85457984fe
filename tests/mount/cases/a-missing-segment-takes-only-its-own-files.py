# CASE: with a segment missing the store mounts, its files are EIO, all others and new ones are fine
# OPTIONS: compression=none
# PLAIN: no
import os

from damage import damage, expect_intact, find_in_segments, read_piecewise, save

files = save({"first": 2_000_000, "small": 1000})
with damage():
    path, _ = find_in_segments(files["first"][1_000_000:1_000_064])
    os.rename(path, os.environ["WORK"] + "/taken")
lost = [name for name, content in files.items() if read_piecewise(name, content)[1]]
assert lost == ["first"], f"unreadable without the segment: {lost}"
files.update(save({"second": 2_000_000}))
expect_intact(files, except_for=["first"])
assert os.stat(os.environ["MNT"] + "/first").st_size == 2_000_000

with damage():
    assert not os.path.exists(path), "the number of a lost segment was used again"
    os.rename(os.environ["WORK"] + "/taken", path)
expect_intact(files)
