# CASE: tensorfsctl verify checks what links lead to, fails where there is nothing, and ends at once on a signal
# PLAIN: no
import json
import os
import signal
import struct
import subprocess
import time

MNT, TOOL = os.environ["MNT"], os.environ["TENSORFSCTL"]


def verify(*arguments, status):
    done = subprocess.run([TOOL, "verify", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done


header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
os.makedirs(f"{MNT}/blobs")
os.makedirs(f"{MNT}/snapshots/rev")
with open(f"{MNT}/blobs/0123", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + struct.pack("<ff", 1, float("nan")))
os.symlink("../../blobs/0123", f"{MNT}/snapshots/rev/model.safetensors")
os.symlink("snapshots/rev", f"{MNT}/latest")
for name in ("blobs/0123", "snapshots/rev", "snapshots/rev/model.safetensors", "latest"):
    assert "1 files, " in verify(f"{MNT}/{name}", status=0).stdout
    assert "1 NaN" in verify(f"{MNT}/{name}", "--no-nan", status=1).stdout
assert "1 problems" in verify(MNT, "--no-nan", status=1).stdout

os.mkdir(f"{MNT}/empty")
assert "nothing to check" in verify(f"{MNT}/empty", status=1).stderr

with open(f"{MNT}/large", "wb") as file:
    file.truncate(1 << 40)  # minutes of reading
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    child = subprocess.Popen([TOOL, "verify", f"{MNT}/large"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1)  # wherever it is by then: asking for checksums or reading
    begin = time.monotonic()
    child.send_signal(number)
    printed, said = child.communicate(timeout=60)
    assert time.monotonic() - begin < 10, "at once, on a machine with other work"
    assert child.returncode == 128 + number, (child.returncode, said)
    assert "interrupted: 0 of 1 files were checked to their end" in printed, printed
