# CASE: tensorfsctl verify reads a tree tensor by tensor, names the one that is damaged, and refuses what it cannot compare
# OPTIONS: compression=none
# PLAIN: no
# AFTER: none
import json
import os
import random
import struct
import subprocess

from damage import damage, find_in_segments, flip

MNT, STORE, TOOL = os.environ["MNT"], os.environ["STORE"], os.environ["TENSORFSCTL"]
SIZE = 2 << 20


def verify(*arguments, status):
    done = subprocess.run([TOOL, "verify", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done


names = ["first", "second", "third"]
header = json.dumps({name: {"dtype": "U8", "shape": [SIZE], "data_offsets": [i * SIZE, (i + 1) * SIZE]}
                     for i, name in enumerate(names)}).encode()
tensors = [random.Random(name).randbytes(SIZE) for name in names]
os.mkdir(f"{MNT}/step")
with open(f"{MNT}/step/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + b"".join(tensors))
    os.fsync(file.fileno())

assert "checked against store: ok" in verify(f"{MNT}/step", status=0).stdout
with damage():
    middle = SIZE // 2
    flip(find_in_segments(tensors[1][middle:middle + 64]))
    assert "not on a mount" in verify(STORE, status=1).stderr
found = verify("--json", MNT, status=1)
assert "second" in found.stdout and json.loads(found.stdout)["files"][0]["ok"] is False, found.stdout
said = verify(f"{MNT}/step/model.safetensors", status=1).stdout
assert "second" in said and "third" not in said, said
verify("--store", STORE, "/step", status=1)
verify(status=2)
