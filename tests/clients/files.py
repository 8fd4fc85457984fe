"""What the cases of real clients share: importing what may be missing, and looking at files twice.

As a command: files.py remember ROOT, files.py expect ROOT (for shell cases).
"""

import hashlib
import importlib
import json
import mmap
import os
import subprocess
import sys

SKIPPED = 77


def need(name):
    """The module, or the end of the case with the reason."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(SKIPPED)


def remount():
    subprocess.run([os.environ["TFS_PYTHON"], os.environ["TFS_RUNNER"], "--control", "remount"],
                   check=True)


def hash_by_read(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_by_mmap(path):
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return hashlib.sha256(b"").hexdigest()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            return hashlib.sha256(memory).hexdigest()


def regular_files(root):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root), path


def remember(root):
    """Relative path -> hash of every file below root, as it is now."""
    found = {name: hash_by_read(path) for name, path in regular_files(root)}
    assert found, f"there is nothing in {root}"
    return found


def expect(root, remembered):
    """The same files with the same bytes, by read() and by mmap; mmap first, so that it is cold."""
    by_mmap = {name: hash_by_mmap(path) for name, path in regular_files(root)}
    by_read = {name: hash_by_read(path) for name, path in regular_files(root)}
    for way, found in (("mmap", by_mmap), ("read()", by_read)):
        differing = [name for name in remembered.keys() | found.keys()
                     if remembered.get(name) != found.get(name)]
        assert not differing, f"by {way}: {sorted(differing)[:5]} differ"
    print(f"{len(remembered)} files are the same by read() and by mmap")


def survives_remount(root):
    """The usual end of a case."""
    remembered = remember(root)
    remount()
    expect(root, remembered)


def main():
    place = os.environ["WORK"] + "/remembered"
    if sys.argv[1] == "remember":
        with open(place, "w", encoding="utf-8") as file:
            json.dump(remember(sys.argv[2]), file)
    else:
        with open(place, encoding="utf-8") as file:
            expect(sys.argv[2], json.load(file))


if __name__ == "__main__":
    main()
