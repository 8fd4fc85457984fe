# CASE: flips anywhere in segments of compressed files are EIO or harmless, never wrong data
# OPTIONS: compression=zstd:1
# PLAIN: no
# TIMEOUT: 240
import os
import random

from damage import damage, flip, read_piecewise, save, segments

seed = int(os.environ.get("TFS_SEED") or random.randrange(1 << 32))
print(f"seed {seed}: give it back with TFS_SEED={seed}")
dice = random.Random(seed)
files = save({f"file-{i}": 300_000 + 50_000 * i for i in range(8)}, compressible=True)
noticed = 0
for _ in range(12):
    with damage():
        path = dice.choice(segments())
        spot = (path, dice.randrange(os.path.getsize(path)))
        flip(spot)
    for name, content in files.items():
        noticed += len(read_piecewise(name, content)[1])
    with damage():
        flip(spot)
assert noticed, "none of 12 flips met a file"
for name, content in files.items():
    assert not read_piecewise(name, content)[1], f"{name} is unreadable although nothing is flipped"
