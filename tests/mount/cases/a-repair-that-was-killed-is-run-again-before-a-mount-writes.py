# CASE: a store whose repair was killed is read-only until a repair has run to its end, and loses nothing
# PLAIN: no
# AFTER: none
"""The names of many files are taken out of the index, so that a repair takes a while, and it is killed when
it has written its first corrections."""
import ctypes
import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "golden"))

import read_store
from damage import MNT, control

STORE, WORK, TENSORFS = os.environ["STORE"], os.environ["WORK"], os.environ["TENSORFS"]
FILES = 6000  # more than a repair corrects in one batch
POINTER, SIZE = ctypes.c_void_p, ctypes.c_size_t
ROCKSDB = read_store.load_library("rocksdb", rocksdb_open_column_families=POINTER, rocksdb_writeoptions_create=POINTER)


class Writable(read_store.Index):
    """The same tables, to be changed; only the opening differs."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        count = len(read_store.TABLES)
        options = POINTER(read_store.ROCKSDB.rocksdb_options_create())
        self.families = (POINTER * count)()
        error = ctypes.c_char_p()
        self.db = POINTER(ROCKSDB.rocksdb_open_column_families(
            options, os.fsencode(path), count,
            (ctypes.c_char_p * count)(*[name.encode() for name in read_store.TABLES]),
            (POINTER * count)(*[options] * count), self.families, ctypes.byref(error)))
        assert not error.value, error.value
        self.options = POINTER(read_store.ROCKSDB.rocksdb_readoptions_create())
        self.write_options = POINTER(ROCKSDB.rocksdb_writeoptions_create())

    def delete(self, table, key):
        error = ctypes.c_char_p()
        ROCKSDB.rocksdb_delete_cf(self.db, self.write_options, POINTER(self.families[read_store.TABLES.index(table)]),
                                  key, SIZE(len(key)), ctypes.byref(error))
        assert not error.value, error.value


def lose_names():
    os.remove(f"{STORE}/index/SEAL")  # the manifest changes
    index = Writable(f"{STORE}/index")
    names = [key for key, _ in index.scan("dentry") if key[16:].startswith(b"file-")]
    assert len(names) == FILES, len(names)
    for key in names:
        index.delete("dentry", key)
    index.close()


def has_mark(path):
    index = read_store.Index(f"{path}/index", WORK)
    found = index.get("super", b"repairing")
    index.close()
    return found is not None


def repair(path):
    return subprocess.Popen([os.environ["TENSORFSCTL"], "check", "--repair", path], stdout=subprocess.PIPE, text=True)


def kill_after_first_write(path):
    before = set(glob.glob(f"{path}/index/*.log"))
    running = repair(path)
    while running.poll() is None:
        if any(os.path.getsize(log) > 0 for log in set(glob.glob(f"{path}/index/*.log")) - before):
            break
    running.kill()
    running.communicate()


def killed_in_the_middle(path):
    """A copy of the store whose repair was killed when it had corrected something. The first bytes in the log may be
    a part of its first batch, which then never was."""
    for _ in range(50):
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(STORE, path)
        kill_after_first_write(path)
        if has_mark(path):
            return
    raise AssertionError("no repair left a mark when it was killed")


def unmount(mountpoint, store):
    subprocess.run(["umount", mountpoint], check=True)
    subprocess.run(["flock", "-w", "60", store, "true"], check=True)  # held until the daemon has ended


for number in range(FILES):
    with open(f"{MNT}/file-{number}", "wb") as file:
        file.write(b"content %d" % number)
control("unmount")
lose_names()
copy, other = f"{WORK}/killed", f"{WORK}/other"
os.mkdir(other)
killed_in_the_middle(copy)
refused = subprocess.run([TENSORFS, copy, other], capture_output=True, text=True, timeout=60)
assert refused.returncode == 1 and refused.stderr.count("\n") == 1, refused
assert "check --repair" in refused.stderr and "read-only" in refused.stderr, refused
subprocess.run([TENSORFS, "-o", "ro", copy, other], check=True, timeout=60)
unmount(other, copy)
whole = repair(copy)
said, _ = whole.communicate()
assert whole.returncode == 1, (whole.returncode, said[-2000:])
subprocess.run([TENSORFS, copy, other], check=True, timeout=60)
found = {open(f"{other}/lost+found/{name}", "rb").read() for name in os.listdir(f"{other}/lost+found")}
unmount(other, copy)
assert found == {b"content %d" % number for number in range(FILES)}, len(found)
