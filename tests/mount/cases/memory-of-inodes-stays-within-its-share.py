# CASE: the kernel is made to forget inodes that take too much memory, and nothing that is in use
# OPTIONS: memory=64M
# PLAIN: no
# TIMEOUT: 240
import json
import os
import sys
import time

FILES = 5000
MNT = os.environ["MNT"]

release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
if release < (6, 18):
    print("SKIP: kernels before 6.18 cannot be told to forget what is not in use")
    sys.exit(77)


def memory():
    return json.loads(os.getxattr(MNT, "user.tensorfs.stats"))["memory"]


def path_of(number):
    return f"{MNT}/{number // 1000}/file-{number}"


share = memory()["inodes_bytes_max"]
assert share == 4 << 20, share
os.makedirs(f"{MNT}/used/current")
os.chdir(f"{MNT}/used/current")
kept = open(f"{MNT}/used/kept", "w+b", buffering=0)
kept.write(b"before")
for number in range(FILES):
    if number % 1000 == 0:
        os.mkdir(f"{MNT}/{number // 1000}")
    os.close(os.open(path_of(number), os.O_CREAT | os.O_WRONLY, 0o600))
os.link(path_of(7), f"{MNT}/used/link")
for number in range(FILES):
    assert os.stat(path_of(number)).st_nlink == (2 if number == 7 else 1)
for directory, _, names in os.walk(MNT):
    for name in names:
        os.stat(f"{directory}/{name}")

# What it forgets comes a moment later than what it asks for.
deadline = time.monotonic() + 30
while memory()["inodes_bytes"] > share * 5 // 4:
    assert time.monotonic() < deadline, memory()
    os.stat(path_of(0))
    time.sleep(0.05)

assert os.getcwd() == f"{MNT}/used/current"
assert os.readlink(f"/proc/self/fd/{kept.fileno()}") == f"{MNT}/used/kept"
kept.write(b" and after")
with open(f"{MNT}/used/kept", "rb") as file:
    assert file.read() == b"before and after"
open("made-in-the-current-directory", "w").close()
assert os.listdir(f"{MNT}/used/current") == ["made-in-the-current-directory"]
assert os.stat(f"{MNT}/used/link").st_ino == os.stat(path_of(7)).st_ino
os.chdir("/")
