# CASE: a program that knows docs/FORMAT.md only reads every byte, name and attribute of a store, after an unmount and after a crash
# PLAIN: no
# AFTER: none
"""The reader is tests/golden/read_store.py, which also checks all that the tables of the index say of each other."""
import os
import random
import stat
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "golden"))

import read_frame
import read_store
from damage import MNT, control, find_in_segments, flip
from fingerprint import differences, fingerprint, sync_tree

STORE = os.environ["STORE"]
CODECS = ("none", "gzip", "zstd", "zstd:9", "auto")
CODEC_NAMES = ("none", "gzip", "zstd", "auto")
CHUNK_SIZES = (256, 4096, 64 << 10, 1 << 20, 16 << 20)
DICE = random.Random(7)


def weights(count, width):
    """Normally distributed floats; the two high bytes of an fp32 are its bf16."""
    return b"".join(struct.pack("<f", DICE.gauss(0, 0.02))[4 - width:] for _ in range(count))


def text(size):
    words = (b"loss", b"step", b"epoch", b"0.1", b"{}", b"\n")
    return b" ".join(DICE.choice(words) for _ in range(size // 4))[:size]


CONTENTS = {"bf16": weights(40_000, 2), "fp32": weights(20_000, 4), "text": text(90_000), "noise": DICE.randbytes(30_001),
            "zeros": bytes(300_000), "sparse": bytes(70_000) + weights(20_000, 2) + bytes(90_000), "tiny": b"x"}
CONTENTS["mixed"] = CONTENTS["text"][:9_999] + CONTENTS["bf16"] + bytes(80_000) + CONTENTS["noise"]


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def save_by_codec():
    for codec in CODECS:
        folder = f"{MNT}/{codec}"
        os.mkdir(folder)
        os.setxattr(folder, "user.tensorfs.compression", codec.encode())
        for name, content in CONTENTS.items():
            write(f"{folder}/{name}", content)


def scribble(path):
    """Write over what is there and was synced, cut, let holes come to be, and copy what is left."""
    file = os.open(path, os.O_RDWR)
    size = os.fstat(file).st_size
    for _ in range(10):
        os.pwrite(file, DICE.choice((CONTENTS["text"], CONTENTS["bf16"]))[:DICE.randrange(1, 9000)], DICE.randrange(size))
        if DICE.random() < 0.5:
            os.fsync(file)
        if DICE.random() < 0.2:
            os.ftruncate(file, DICE.randrange(1, size))
    copy = os.open(path + ".copy", os.O_RDWR | os.O_CREAT, 0o600)
    os.lseek(file, 0, os.SEEK_SET)
    while os.copy_file_range(file, copy, 1 << 30):
        pass
    os.pwrite(copy, b"not shared", 100)
    os.close(copy)
    os.close(file)


def save_by_chunk_size():
    for chunk_size in CHUNK_SIZES:
        folder = f"{MNT}/{chunk_size}"
        os.mkdir(folder)
        os.setxattr(folder, "user.tensorfs.chunk_size", str(chunk_size).encode())
        write(f"{folder}/file", CONTENTS["mixed"])
        scribble(f"{folder}/file")
        with open(f"{folder}/small", "wb") as file:  # parts of one inline frame on both sides of another
            for at, size in ((0, 3000), (1000, 300)):
                file.seek(at)
                file.write(CONTENTS["noise"][:size])
                file.flush()
                os.fsync(file.fileno())
    with open(f"{MNT}/{CHUNK_SIZES[-1]}/rows", "wb") as file:  # more than one row, and a hole of one
        for at in (100, (4 << 20) - 50_000, (12 << 20) + 5000):
            file.seek(at)
            file.write(CONTENTS["bf16"])
        file.truncate(14 << 20)


def save_names():
    os.symlink("64 KiB/nowhere", f"{MNT}/link")
    os.symlink("t" * 4095, f"{MNT}/long link")
    os.link(f"{MNT}/auto/bf16", f"{MNT}/hard link")
    os.rename(f"{MNT}/auto/text", f"{MNT}/zstd/renamed \xff")
    os.mkfifo(f"{MNT}/fifo")
    os.makedirs(f"{MNT}/a/b/" + "c" * 255)
    write(f"{MNT}/a/b/removed", CONTENTS["bf16"])
    os.unlink(f"{MNT}/a/b/removed")
    os.setxattr(f"{MNT}/a", "user.note", DICE.randbytes(60_000))
    os.setxattr(f"{MNT}/hard link", "user.empty", b"")
    os.utime(f"{MNT}/a/b", ns=(-10**18 - 1, -5))
    os.chmod(f"{MNT}/hard link", 0o4751)
    with open(f"{MNT}/allocated", "wb") as file: # a feature that FORMAT names
        os.posix_fallocate(file.fileno(), 0, 3 << 20)
        file.write(b"some of it")
    if os.geteuid() == 0:
        os.mknod(f"{MNT}/device", stat.S_IFCHR | 0o600, os.makedev(0x345, 0x12345))
        os.chown(f"{MNT}/link", 12345, 54321, follow_symlinks=False)
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
            (1, 6, 0xFFFFFFFF), (2, 4, 77), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)))
        os.setxattr(f"{MNT}/zstd/bf16", "system.posix_acl_access", acl)
        os.setxattr(f"{MNT}/a", "system.posix_acl_default", acl)


def describe(store, number, inode):
    """What fingerprint.describe() says of a path."""
    facts = {"mode": oct(inode.mode), "nlink": inode.nlink, "owner": (inode.uid, inode.gid), "ino": number,
             "mtime": inode.mtime, "ctime": inode.ctime, "xattrs": store.attributes(number)}
    if inode.flags & 0x10 or stat.S_ISREG(inode.mode):
        facts["chunk size"] = str(inode.chunk_size)
    if inode.flags & 0x20 or stat.S_ISREG(inode.mode):
        facts["codec"] = CODEC_NAMES[inode.codec] + (f":{inode.level}" if inode.level else "")
    if stat.S_ISREG(inode.mode):
        facts["size"], facts["content"] = inode.size, store.read(number)
    elif stat.S_ISLNK(inode.mode):
        facts["size"], facts["target"] = len(inode.target), inode.target
    elif not stat.S_ISDIR(inode.mode):
        facts["size"] = 0
    if stat.S_ISCHR(inode.mode):
        facts["rdev"] = inode.rdev
    return facts


def seen_through_the_mount():
    sync_tree(MNT)
    tree = fingerprint(MNT)
    for path, facts in tree.items():
        full = os.path.join(os.fsencode(MNT), path)
        if "content" in facts:
            with open(full, "rb") as file:
                facts["content"] = file.read()
            facts["chunk size"] = os.getxattr(full, "user.tensorfs.chunk_size").decode()
            facts["codec"] = os.getxattr(full, "user.tensorfs.compression").decode()
        # A directory lists the settings that it was given.
        for fact, name in ("chunk size", "user.tensorfs.chunk_size"), ("codec", "user.tensorfs.compression"):
            if name in facts["xattrs"]:
                facts[fact] = facts["xattrs"].pop(name).decode()
    return tree


def seen_in_the_store():
    store = read_store.Store(STORE)
    read_store.Audit(store).run()
    tree = {path: describe(store, number, inode) for path, number, inode in store.walk()}
    for path, facts in tree.items():
        assert store.lookup(b"" if path == b"." else path) == facts["ino"], path
    store.close()
    return tree


def expect_same(tree):
    lines = differences(tree, seen_in_the_store())
    assert not lines, "\n".join(line[:400] for line in lines)


def main():
    if not (read_store.ROCKSDB and read_store.XXHASH and read_frame.ZSTD):
        print("needs the libraries of RocksDB, xxHash and zstd")
        sys.exit(77)
    save_by_codec()
    save_by_chunk_size()
    save_names()
    try:
        read_store.Store(STORE)
        raise AssertionError("the reader took a store that is mounted")
    except BlockingIOError:
        pass
    tree = seen_through_the_mount()
    control("unmount")
    expect_same(tree)

    control("mount")
    scribble(f"{MNT}/none/mixed")
    os.rename(f"{MNT}/none", f"{MNT}/a/none")
    removed = os.open(f"{MNT}/gzip/bf16", os.O_RDONLY)
    os.unlink(f"{MNT}/gzip/bf16")
    tree = seen_through_the_mount()
    control("kill9")
    os.close(removed)
    expect_same(tree)

    flip(find_in_segments(CONTENTS["noise"][:64]))
    try:
        seen_in_the_store()
        raise AssertionError("the reader took a byte that was changed")
    except read_frame.Corrupt as error:
        assert "checksum" in str(error), error


main()
