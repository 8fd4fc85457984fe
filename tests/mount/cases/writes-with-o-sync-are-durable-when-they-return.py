# CASE: each write with O_SYNC, O_DSYNC or RWF_DSYNC is durable when it returns, by whatever kind of handle
# PLAIN: no
import json
import mmap
import os
import subprocess

MNT, TOOL = os.environ["MNT"], os.environ["TENSORFSCTL"]
PATH = f"{MNT}/file"
COUNT, SIZE = 5, 4096
# How it is opened decides whether the kernel caches it; only there it syncs by itself.
KINDS = {"write-only": os.O_WRONLY, "read and write": os.O_RDWR, "new, exclusive": os.O_RDWR | os.O_EXCL,
         "O_DIRECT": os.O_RDWR | os.O_DIRECT, "append": os.O_WRONLY | os.O_APPEND}


def syncs():
    """Requests for durability that the store has served."""
    done = subprocess.run([TOOL, "--json", "stats", MNT], capture_output=True, check=True)
    return json.loads(done.stdout)["commit"]["syncs"]


def count(name, flags, change):
    """How many syncs `change` of a new file makes, done COUNT times."""
    if os.path.exists(PATH):
        os.unlink(PATH)
    file = os.open(PATH, flags | os.O_CREAT, 0o644)
    before = syncs()
    for index in range(COUNT):
        change(file, index)
    made = syncs() - before
    os.close(file)
    print(f"{name}: {made} syncs for {COUNT} calls", flush=True)
    return made


page = mmap.mmap(-1, SIZE)  # aligned, as O_DIRECT wants it
page.write(os.urandom(SIZE))


def write(file, _):
    assert os.write(file, page) == SIZE


def pwrite_dsync(file, index):
    assert os.pwritev(file, [page], index * SIZE, os.RWF_DSYNC) == SIZE


def allocate(file, index):
    os.posix_fallocate(file, index * SIZE, SIZE)


for kind, opened in KINDS.items():
    for name, flag in (("O_SYNC", os.O_SYNC), ("O_DSYNC", os.O_DSYNC)):
        assert count(f"{kind}, {name}", opened | flag, write) >= COUNT
    assert count(f"{kind}, RWF_DSYNC", opened, pwrite_dsync) >= COUNT
    assert count(f"{kind}, nothing asked", opened, write) < COUNT
assert count("fallocate with O_SYNC", os.O_WRONLY | os.O_SYNC, allocate) >= COUNT

source = os.open(f"{MNT}/source", os.O_RDWR | os.O_CREAT)
os.write(source, page)


def copy(file, index):
    assert os.copy_file_range(source, file, SIZE, 0, index * SIZE) == SIZE


assert count("copy with O_SYNC", os.O_WRONLY | os.O_SYNC, copy) >= COUNT
