# CASE: programs killed in the middle of any call leave no inode, no handle and no name half made
# AFTER: none
# PLAIN: no
# NEEDS: root
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

MNT = os.environ["MNT"]
SECONDS, WORKERS = 4, 6


def stats():
    said = subprocess.run([os.environ["TENSORFSCTL"], "--json", "stats", MNT], check=True,
                          capture_output=True, text=True)
    return json.loads(said.stdout)


def work(folder, dice):
    """Calls without end, of which most give the kernel something that has to come back."""
    os.makedirs(folder, exist_ok=True)
    block = dice.randbytes(300_000)
    while True:
        name = f"{folder}/{dice.randrange(20)}"
        try:
            with open(name, dice.choice(("wb", "xb", "ab", "rb"))) as file:
                if file.writable():
                    file.write(block)
                else:
                    file.read()
            os.link(name, f"{name}.link")
            os.mkdir(f"{name}.directory")
            os.listxattr(name)
            for entry in os.scandir(folder):
                entry.stat()
            os.rename(f"{name}.link", f"{name}.moved")
            os.truncate(name, dice.randrange(300_000))
            os.rmdir(f"{name}.directory")
            os.unlink(dice.choice((name, f"{name}.moved")))
        except OSError:
            pass


def start(number, dice):
    seed = dice.randrange(1 << 32)
    child = os.fork()
    if child == 0:
        try:
            work(f"{MNT}/folder-{number % 3}", random.Random(seed))
        finally:
            os._exit(1)
    return child


def inodes_after_forgetting():
    subprocess.run([sys.executable, os.environ["TFS_RUNNER"], "--control", "drop-caches"],
                   check=True, stdout=subprocess.DEVNULL)
    return stats()["memory"]["inodes"]


seed = int(os.environ.get("TFS_SEED") or random.randrange(1 << 32))
print(f"seed {seed}: give it back with TFS_SEED={seed}")
dice = random.Random(seed)
before = inodes_after_forgetting()
children = [start(number, dice) for number in range(WORKERS)]
killed = 0
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    time.sleep(dice.uniform(0.001, 0.03))
    number = dice.randrange(WORKERS)
    os.kill(children[number], signal.SIGKILL)
    os.waitpid(children[number], 0)
    children[number] = start(number, dice)
    killed += 1
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(f"{killed} programs killed, {stats()['memory']['inodes']} inodes in memory")

# Every name is whole: it can be read, and its links are those that are there.
links = {}
for folder, directories, files in os.walk(MNT):
    for name in files:
        path = os.path.join(folder, name)
        seen = os.stat(path)
        links.setdefault(seen.st_ino, [seen.st_nlink, 0])[1] += 1
        with open(path, "rb") as file:
            assert len(file.read()) == seen.st_size, path
    assert os.stat(folder).st_nlink == 2 + len(directories), folder
assert all(told == found for told, found in links.values()), links

for entry in os.scandir(MNT):
    shutil.rmtree(entry.path)
deadline = time.monotonic() + 60  # the kernel releases files and forgets inodes when it likes
while inodes_after_forgetting() > before:
    assert time.monotonic() < deadline, f"{stats()['memory']['inodes']} inodes, {before} at first"
