"""For cases that damage a store: save files, change their bytes in the segments, read what is left.

Every read must give the right bytes or EIO; anything else ends the case.
"""

import contextlib
import errno
import glob
import os
import random
import subprocess

MNT = os.environ["MNT"]
PIECE = 4096


def control(command):
    subprocess.run([os.environ["TFS_PYTHON"], os.environ["TFS_RUNNER"], "--control", command],
                   check=True)


@contextlib.contextmanager
def damage():
    """The store is not mounted inside the block."""
    control("unmount")
    yield
    control("mount")


def save(sizes, compressible=False):
    """Write and fsync files of these sizes; returns their content by name."""
    files = {}
    for name, size in sizes.items():
        content = random.Random(name).randbytes(size)
        if compressible:
            content = bytes(byte & 0x1f for byte in content)
        with open(f"{MNT}/{name}", "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        files[name] = content
    return files


def segments():
    found = sorted(glob.glob(os.environ["STORE"] + "/segments/*.seg"))
    assert found, "the store has no segments"
    return found


def find_in_segments(pattern):
    """(path, offset) of bytes that are stored as they are."""
    for path in segments():
        with open(path, "rb") as file:
            at = file.read().find(pattern)
        if at >= 0:
            return path, at
    raise AssertionError("the content is in no segment")


def flip(spot):
    path, at = spot
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def read_piecewise(name, content):
    """Offsets of the pieces that could be read and of those that are EIO."""
    good, bad = [], []
    file = os.open(f"{MNT}/{name}", os.O_RDONLY)
    assert os.fstat(file).st_size == len(content), f"{name} has another size"
    # Without read-ahead, an error in one page would otherwise be seen through its neighbours.
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
    for at in range(0, len(content), PIECE):
        try:
            got = os.pread(file, PIECE, at)
        except OSError as error:
            assert error.errno == errno.EIO, f"{name} at {at}: {error}"
            bad.append(at)
            continue
        assert got == content[at:at + PIECE], f"wrong bytes in {name} at {at}"
        good.append(at)
    os.close(file)
    return good, bad


def expect_intact(files, except_for=()):
    for name, content in files.items():
        if name not in except_for:
            bad = read_piecewise(name, content)[1]
            assert not bad, f"{name} is unreadable at {bad[:3]}"
