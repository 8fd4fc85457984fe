#!/usr/bin/env python3
"""A reader of stores written from docs/FORMAT.md alone: read_store.py STORE

Reads every byte of a store that nobody has mounted for writing, checks every rule of the page on the way, and
prints the tree. RocksDB and XXH3 are those of the libraries; beside them it shares no code with the store: where
the two disagree, the specification or the store is wrong. It changes nothing in the store.
"""
import collections
import ctypes
import fcntl
import hashlib
import os
import re
import stat
import struct
import sys
import tempfile

from read_frame import Corrupt, crc32c, decode_frame, load_library, need, payload_offset

TABLES = ("default", "inode", "dentry", "extent", "xattr", "segment", "share", "orphan", "super")
SETTINGS = {"name_hash_seed", "clean", "sweep_from", "resume_segment", "resume_offset", "next_inode",
            "next_segment", "allocated", "scrub_inode", "scrub_row"}
ROOT = 1
FIRST_INODE = 16
UNIT_MAX = 256 << 10  # the largest block, and the smallest row
ROW_MAX = 4 << 20
ALIGNMENT = 4096
PAGE = 4096
SEGMENT_MAX = 1 << 30
INLINE_MAX = 4096
CUT_ROWS = 0x40

POINTER = ctypes.c_void_p
ROCKSDB = load_library("rocksdb", **{f"rocksdb_{name}": POINTER for name in (
    "options_create", "readoptions_create", "open_for_read_only_column_families", "create_iterator_cf",
    "iter_key", "iter_value")}, rocksdb_iter_valid=ctypes.c_ubyte)
XXHASH = load_library("xxhash", XXH3_64bits_withSeed=ctypes.c_uint64)

Inode = collections.namedtuple("Inode", "chunk_size codec level flags version size stored rdev parent mode uid gid "
                               "nlink atime mtime ctime btime allocated target")
Extent = collections.namedtuple("Extent", "first frame_first visible raw_size stored_size checksum segment offset "
                                "inline")


def big(*numbers):
    return b"".join(number.to_bytes(8, "big") for number in numbers)


def from_big(data):
    return int.from_bytes(data, "big")


def number_of(value):
    need(len(value) == 8, "a number of another size")
    return int.from_bytes(value, "little")


def round_up(size, unit):
    return -(-size // unit) * unit


class Index:
    """The database: its tables in the order of their keys."""

    def __init__(self, path, scratch):
        count = len(TABLES)
        options = POINTER(ROCKSDB.rocksdb_options_create())
        ROCKSDB.rocksdb_options_set_db_log_dir(options, scratch.encode())  # else its own log lies beside
        self.families = (POINTER * count)()
        error = ctypes.c_char_p()
        self.db = POINTER(ROCKSDB.rocksdb_open_for_read_only_column_families(
            options, os.fsencode(path), count, (ctypes.c_char_p * count)(*[name.encode() for name in TABLES]),
            (POINTER * count)(*[options] * count), self.families, ctypes.c_ubyte(0), ctypes.byref(error)))
        need(not error.value, f"the index: {error.value}")
        self.options = POINTER(ROCKSDB.rocksdb_readoptions_create())

    def close(self):
        for family in self.families:
            ROCKSDB.rocksdb_column_family_handle_destroy(POINTER(family))
        ROCKSDB.rocksdb_close(self.db)

    def scan(self, table, prefix=b""):
        """(key, value) of each key that begins with `prefix`."""
        iterator = POINTER(ROCKSDB.rocksdb_create_iterator_cf(
            self.db, self.options, POINTER(self.families[TABLES.index(table)])))
        try:
            ROCKSDB.rocksdb_iter_seek(iterator, prefix, ctypes.c_size_t(len(prefix)))
            while ROCKSDB.rocksdb_iter_valid(iterator):
                key = self.bytes_of(ROCKSDB.rocksdb_iter_key, iterator)
                if not key.startswith(prefix):
                    return
                yield key, self.bytes_of(ROCKSDB.rocksdb_iter_value, iterator)
                ROCKSDB.rocksdb_iter_next(iterator)
            error = ctypes.c_char_p()
            ROCKSDB.rocksdb_iter_get_error(iterator, ctypes.byref(error))
            need(not error.value, f"table {table}: {error.value}")
        finally:
            ROCKSDB.rocksdb_iter_destroy(iterator)

    @staticmethod
    def bytes_of(function, iterator):
        size = ctypes.c_size_t()
        return ctypes.string_at(function(iterator, ctypes.byref(size)), size.value)

    def get(self, table, key):
        return next((value for found, value in self.scan(table, key) if found == key), None)


def decode_time(record, at):
    seconds, nanoseconds = struct.unpack_from("<qI", record, at)
    need(nanoseconds < 10**9, "a time")
    return seconds * 10**9 + nanoseconds


def decode_inode(record):
    need(len(record) >= 144, "an inode's record cut short")
    version, chunk_log, codec, level, flags, *fields = struct.unpack_from("<BBBBIQQQQQIIII", record)
    target_size, = struct.unpack_from("<H", record, 112)
    inode = Inode(1 << chunk_log, codec, level, flags, *fields,
                  *[decode_time(record, at) for at in (64, 76, 88, 100)],
                  struct.unpack_from("<QQQ", record, 120), record[144:])
    kind = stat.S_IFMT(inode.mode)
    need(version == 1 and 8 <= chunk_log <= 26 and codec <= 3, "an inode's record")
    need(inode.size <= 1 << 60 and (inode.size == 0 or kind == stat.S_IFREG), "a size")
    need(inode.rdev == 0 or kind in (stat.S_IFCHR, stat.S_IFBLK), "a device number")
    need(len(record) == 144 + target_size and not any(record[114:120]), "an inode's reserved bytes or target")
    begin, end, room = inode.allocated
    need(begin < end <= 1 << 60 and room <= 1 << 61 and kind == stat.S_IFREG if end else begin == room == 0,
         "an allocated range")
    need(1 <= target_size <= 4095 if kind == stat.S_IFLNK else target_size == 0, "a target's length")
    return inode


def decode_row(value, block_size, row_size):
    """The extents of a row, what the page says of them checked."""
    need(len(value) >= 8 and value[0] in (1, 2) and value[1] == 0 and value[4:8] == bytes(4), "a row's head")
    count, = struct.unpack_from("<H", value, 2)
    unit = block_size if value[0] == 1 else min(block_size, PAGE)
    need(1 <= count <= 1024 and len(value) >= 8 + 40 * count, "a row's entries")
    extents, end, inline_at = [], 0, 8 + 40 * count
    for i in range(count):
        first, frame_first, blocks, zeros, visible, raw_size, stored_size, checksum, segment, offset = (
            struct.unpack_from("<HHHHIIIIQQ", value, 8 + 40 * i))
        first, frame_first = first * unit, frame_first * unit
        need(first >= end and visible >= 1 and first + visible <= row_size, "a place in a row")
        end = first + visible
        need(1 <= raw_size <= ROW_MAX and blocks == -(-raw_size // block_size) <= 1024, "a frame's raw size")
        need(frame_first + visible <= raw_size, "a place in a frame")
        need(zeros >> -(-raw_size // UNIT_MAX) == 0, "zeros behind a frame's end")
        need(48 + 12 * blocks <= stored_size <= 48 + 12 * blocks + raw_size or
             block_size >= 4096 and stored_size == payload_offset(2, blocks) + raw_size, "a frame's stored size")
        inline = b""
        if segment == 0:
            inline = value[inline_at:inline_at + stored_size]
            inline_at += stored_size
            need(offset == 0 and stored_size <= INLINE_MAX and len(inline) == stored_size, "an inline frame")
        need(offset % ALIGNMENT == 0, "the offset of a frame")
        extents.append(Extent(first, frame_first, visible, raw_size, stored_size, checksum, segment, offset, inline))
    need(inline_at == len(value), "bytes behind a row")
    need(value[0] == 1 or any(e.first % block_size or e.frame_first % block_size for e in extents),
         "a row of version 2 that version 1 can say")
    return extents


class Store:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.locks = [self.lock(self.path), self.lock(f"{self.path}/index")]
        self.uuid = self.read_format()
        self.check_seal()
        with tempfile.TemporaryDirectory() as scratch:
            self.index = Index(f"{self.path}/index", scratch)
        need(not list(self.index.scan("default")), "rows in the family 'default'")
        self.settings = {key.decode(): number_of(value) for key, value in self.index.scan("super")}
        self.frames = {}  # (segment, offset) -> raw bytes

    def close(self):
        self.index.close()
        for lock in self.locks:
            os.close(lock)

    @staticmethod
    def lock(path):
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return directory

    def read_format(self):
        with open(f"{self.path}/FORMAT", "rb") as file:
            line = file.read(256).decode("ascii")
        found = re.fullmatch(r"tensorfs (\d+) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ([0-9a-f]+) [0-9a-f]+\n",
                             line)
        need(found and len(line) <= 255 and found[1] == "1" and int(found[3], 16) & ~15 == 0, "FORMAT")
        return found[2]

    def check_seal(self):
        """After an unmount in order: what the seal says of the manifest, and that the log is empty."""
        index = f"{self.path}/index"
        if not os.path.exists(f"{index}/SEAL"):
            return
        with open(f"{index}/SEAL", encoding="ascii") as seal, open(f"{index}/CURRENT", encoding="ascii") as current:
            name, size, checksum = seal.read().split()
            need(current.read() == name + "\n", "the manifest of the seal is not the current one")
        with open(f"{index}/{name}", "rb") as file:
            manifest = file.read()
        need(len(manifest) == int(size) and crc32c(manifest) == int(checksum, 16), "the seal of the manifest")
        for entry in os.scandir(index):
            need(not entry.name.endswith(".log") or entry.stat().st_size == 0, "a sealed index with a log")

    def inode(self, number):
        record = self.index.get("inode", big(number))
        need(record is not None, f"inode {number} has no record")
        return decode_inode(record)

    def entries(self, number):
        """(name, inode's number) of all entries of a directory."""
        for key, value in self.index.scan("dentry", big(number)):
            need(17 <= len(key) <= 16 + 255 and len(value) == 12, "an entry")
            yield key[16:], int.from_bytes(value[:8], "little")

    def name_hash(self, name):
        seed = self.settings["name_hash_seed"]
        hashed = XXHASH.XXH3_64bits_withSeed(name, ctypes.c_size_t(len(name)), ctypes.c_uint64(seed)) & (2**63 - 1)
        return hashed + 16 if hashed < 16 else hashed

    def lookup(self, path):
        """The number of the inode at a path, found by keys alone; no link is followed."""
        number = ROOT
        for name in filter(None, os.fsencode(path).split(b"/")):
            value = self.index.get("dentry", big(number, self.name_hash(name)) + name)
            if value is None:
                raise FileNotFoundError(path)
            number = int.from_bytes(value[:8], "little")
        return number

    def attributes(self, number):
        found = {key[8:].decode(): value for key, value in self.index.scan("xattr", big(number))}
        for name, value in found.items():
            need(len(name) <= 255 and len(value) <= 65536 and not name.startswith("user.tensorfs."), "an attribute")
            need(name.startswith(("user.", "trusted.", "security.")) or
                 name in ("system.posix_acl_access", "system.posix_acl_default"), "an attribute's name")
        return found

    def frame_bytes(self, extent):
        """A frame as it is stored."""
        if extent.segment == 0:
            return extent.inline
        with open(f"{self.path}/segments/{extent.segment:016x}.seg", "rb") as file:
            file.seek(extent.offset)
            stored = file.read(round_up(extent.stored_size, ALIGNMENT))
        need(extent.offset + extent.stored_size <= SEGMENT_MAX, "a segment that is too long")
        need(not any(stored[extent.stored_size:]), "padding that is not zeros")
        return stored[:extent.stored_size]

    def raw_bytes(self, extent, block_size):
        key = (extent.segment, extent.offset) if extent.segment else extent.inline
        if key not in self.frames:
            stored = self.frame_bytes(extent)
            raw = decode_frame(stored)
            need(1 << stored[7] == block_size and len(raw) == extent.raw_size, "a frame of another shape")
            need(struct.unpack_from("<I", stored, 44)[0] == extent.checksum, "not the frame that the row means")
            self.frames[key] = raw
        return self.frames[key]

    @staticmethod
    def shape(inode):
        """Block size and row size."""
        return min(inode.chunk_size, UNIT_MAX), min(max(inode.chunk_size, UNIT_MAX), ROW_MAX)

    def rows(self, number, inode):
        for key, value in self.index.scan("extent", big(number)):
            yield from_big(key[8:]), decode_row(value, *self.shape(inode))

    def read(self, number):
        """All bytes of a file."""
        inode = self.inode(number)
        block_size, row_size = self.shape(inode)
        data = bytearray(inode.size)
        for row, extents in self.rows(number, inode):
            if inode.flags & CUT_ROWS and row * row_size >= inode.size:
                break  # garbage, until the writer has removed it
            for extent in extents:
                skipped = extent.frame_first
                visible = self.raw_bytes(extent, block_size)[skipped:skipped + extent.visible]
                at = row * row_size + extent.first
                need(at + len(visible) <= inode.size, "a row shows bytes behind the size")
                data[at:at + len(visible)] = visible
        return bytes(data)

    def walk(self, number=ROOT, path=b""):
        """(path, number, inode) of all that has a name, parents first."""
        inode = self.inode(number)
        yield path or b".", number, inode
        if stat.S_ISDIR(inode.mode):
            for name, child in self.entries(number):
                yield from self.walk(child, os.path.join(path, name))


class Audit:
    """All that the tables say of each other, compared."""

    def __init__(self, store):
        self.index = store.index
        self.store = store
        self.orphans = {from_big(key) for key, value in self.index.scan("orphan")}
        self.inodes = {from_big(key): decode_inode(value) for key, value in self.index.scan("inode")}

    def run(self):
        self.check_settings()
        self.check_names()
        self.check_rows()

    def check_settings(self):
        settings = self.store.settings
        need(set(settings) <= SETTINGS, f"settings that the page does not name: {set(settings) - SETTINGS}")
        need(all(ROOT == number or FIRST_INODE <= number < settings.get("next_inode", FIRST_INODE)
                 for number in self.inodes), "an inode's number")
        need(settings.get("allocated", 0) == sum(inode.allocated[2] for inode in self.inodes.values()),
             "the sum of what is kept for allocated ranges")
        segments = [from_big(key) for key, value in self.index.scan("segment")]
        need(all(1 <= number < settings.get("next_segment", 1) for number in segments), "a segment's number")
        need(settings["clean"] in (0, 1) and (settings["clean"] or not settings["resume_segment"]), "where to go on")

    def check_names(self):
        names = collections.Counter()
        folders = collections.Counter()
        for key, value in self.index.scan("dentry"):
            parent, hashed = struct.unpack(">QQ", key[:16])
            number, kind = struct.unpack("<QI", value)
            name = key[16:]
            need(name not in (b".", b"..") and not set(name) & {0, ord("/")}, f"a name: {name}")
            need(hashed == self.store.name_hash(name), f"the hash of {name}")
            inode = self.inodes[number]
            need(kind == stat.S_IFMT(inode.mode), f"the type of {name}")
            names[number] += 1
            if stat.S_ISDIR(inode.mode):
                folders[parent] += 1
                need(inode.parent == parent and names[number] == 1, f"the parent of {name}")
        for number, inode in self.inodes.items():
            nlink = 2 + folders[number] if stat.S_ISDIR(inode.mode) else names[number]
            removed = number in self.orphans and not (inode.flags & CUT_ROWS and nlink)
            need(inode.nlink == (0 if removed else nlink), f"the names of inode {number}")
            need(stat.S_ISDIR(inode.mode) or inode.parent == 0, f"the parent of inode {number}")
            self.check_flags(number, inode)

    def check_flags(self, number, inode):
        need(inode.flags < 0x80, f"the flags of inode {number}")
        need(not inode.flags & CUT_ROWS or number in self.orphans, f"inode {number} has cut-off rows and is no orphan")
        attributes = self.store.attributes(number)
        need(inode.flags & 0x01 or not attributes, f"inode {number} has attributes and no flag")
        for flag, name in ((0x02, "system.posix_acl_access"), (0x04, "system.posix_acl_default"),
                           (0x08, "security.capability")):
            need(bool(inode.flags & flag) == (name in attributes), f"the flag of {name} of inode {number}")

    def check_rows(self):
        users = collections.Counter()
        sizes = {}
        for number, inode in self.inodes.items():
            stored = 0
            for _, extents in self.store.rows(number, inode):
                frames = {(extent.segment, extent.offset): extent.stored_size for extent in extents if extent.segment}
                users.update(frames.keys())
                sizes.update(frames)
                stored += sum(frames.values()) + sum(len(extent.inline) for extent in extents)
            need(stored == inode.stored or number in self.orphans, f"the stored bytes of inode {number}")
        live = collections.Counter()
        for (segment, _), size in sizes.items():
            live[segment] += round_up(size, ALIGNMENT)
        counted = {from_big(key): number_of(value) for key, value in self.index.scan("segment")}
        need({key: size for key, size in counted.items() if size} == live, "the live bytes of segments")
        shared = {(from_big(key[:8]), from_big(key[8:])): number_of(value)
                  for key, value in self.index.scan("share")}
        need(shared == {key: count for key, count in users.items() if count > 1}, "the users of frames")


def main():
    store = Store(sys.argv[1])
    Audit(store).run()
    for path, number, inode in store.walk():
        line = f"{inode.mode:06o} {inode.size:12} {os.fsdecode(path)}"
        if stat.S_ISREG(inode.mode):
            line += f" {hashlib.sha256(store.read(number)).hexdigest()}"
        elif stat.S_ISLNK(inode.mode):
            line += f" -> {os.fsdecode(inode.target)}"
        print(line)
    store.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        main()
    except (Corrupt, OSError) as error:
        raise SystemExit(f"read_store: {error}") from None
