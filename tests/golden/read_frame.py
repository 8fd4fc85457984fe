#!/usr/bin/env python3
"""A reader of frames written from docs/FORMAT.md alone: read_frame.py FRAME...

Decodes each file, verifies every checksum and limit, and prints the CRC32C of the raw bytes. Deflate and zstd
are those of the libraries; beside them it shares no code with the store: where the two disagree, the
specification or the store is wrong.
"""
import ctypes
import ctypes.util
import struct
import sys
import zlib

MAGIC = b"TFSF"
HEADER_SIZE = 48
TABLE_ENTRY_SIZE = 12
RAW_SIZE_MAX = 4 << 20
BLOCKS_MAX = 1024
PLAIN_ALIGNMENT = 4096


class Corrupt(Exception):
    """What the page does not allow, in one line."""


def need(truth, what):
    if not truth:
        raise Corrupt(what)


def crc_table():
    table = []
    for index in range(256):
        for _ in range(8):
            index = index >> 1 ^ (0x82F63B78 if index & 1 else 0)
        table.append(index)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def load_library(name, **results):
    """A library of the system, or None; `results` are the types of what its functions return."""
    found = ctypes.util.find_library(name)
    if not found:
        return None
    library = ctypes.CDLL(found)
    for function, kind in results.items():
        getattr(library, function).restype = kind
    return library


ZSTD = load_library("zstd", ZSTD_decompress=ctypes.c_size_t, ZSTD_findFrameCompressedSize=ctypes.c_size_t)


def unpack_zstd(data, size):
    """One frame of zstd that yields `size` bytes, and nothing behind it."""
    raw = ctypes.create_string_buffer(size or 1)
    need(ZSTD.ZSTD_findFrameCompressedSize(data, ctypes.c_size_t(len(data))) == len(data), "not one zstd frame")
    got = ZSTD.ZSTD_decompress(raw, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    need(got == size, "zstd yields another size")
    return raw.raw[:size]


def unpack_deflate(data, size):
    stream = zlib.decompressobj(wbits=-15)
    try:
        raw = stream.decompress(data, size)
        need(len(raw) == size and stream.decompress(stream.unconsumed_tail, 1) == b"", "deflate yields another size")
    except zlib.error as error:
        raise Corrupt(f"deflate: {error}") from None
    need(stream.eof and stream.unused_data == b"", "not one deflate stream")
    return raw


def u24(data, at):
    return int.from_bytes(data[at:at + 3], "little")


def decode_stream(coding, data, count):
    if coding == 0:
        need(len(data) == count, "a raw plane of another size")
        return data
    if coding == 1:
        need(len(data) == 1, "a constant plane of more than a byte")
        return data * count
    need(coding == 2, "reserved coding")
    return unpack_zstd(data, count)


def merge(planes, count, rotated):
    width = len(planes)
    out = bytearray(count * width)
    for k in range(width):
        out[k::width] = planes[k]
    if rotated:
        for at in range(width - 2, len(out), width):
            top = out[at] | out[at + 1] << 8
            top = top >> 1 | (top & 1) << 15
            out[at], out[at + 1] = top & 0xFF, top >> 8
    return bytes(out)


def decode_part(stored, at, left):
    """One part at offset `at`: its raw bytes, and the offset behind it."""
    need(at + 5 <= len(stored), "a part without a header")
    size, kind, transform = u24(stored, at), stored[at + 3], stored[at + 4]
    width, rotated, head = 1 << (transform & 3), transform >> 2 & 1, transform >> 3 & 7
    need(1 <= size <= left and kind <= 15 and transform < 0x40, "a part's header")
    need(head < width and head <= size and not (rotated and width == 1), "a part's header")
    count = (size - head) // width
    tail = size - head - count * width
    literals = at + 5
    table = literals + head + tail
    at = table + 3 * width
    need(at <= len(stored), "a part's table is cut short")
    planes = {}
    for i in range(width):
        entry = u24(stored, table + 3 * i)
        length, plane, coding = entry & 0x7FFFF, entry >> 19 & 7, entry >> 22
        need(plane < width and plane not in planes and at + length <= len(stored), "a stream's entry")
        planes[plane] = decode_stream(coding, stored[at:at + length], count)
        at += length
    elements = merge([planes[k] for k in range(width)], count, rotated)
    return stored[literals:literals + head] + elements + stored[literals + head:table], at


def decode_planes(stored, size):
    raw, at = b"", 0
    while len(raw) < size:
        part, at = decode_part(stored, at, size - len(raw))
        raw += part
    need(at == len(stored), "bytes behind the last part")
    return raw


def decode_block(method, stored, size):
    if method == 0:
        need(len(stored) == size, "a raw block of another size")
        return stored
    if method == 1:
        need(len(stored) in (0, 1, 2, 4, 8) and len(stored) <= size, "a constant of an impossible size")
        word = stored or b"\0"
        return (word * (size // len(word) + 1))[:size]
    need(method <= 4 and 1 <= len(stored) < size, "a method, or the stored size of it")
    return (unpack_deflate, unpack_zstd, decode_planes)[method - 2](stored, size)


def payload_offset(version, block_count):
    """Where the stored bytes of the first block begin in a frame."""
    table_end = HEADER_SIZE + TABLE_ENTRY_SIZE * block_count
    return table_end if version == 1 else -(-table_end // PLAIN_ALIGNMENT) * PLAIN_ALIGNMENT


def decode_frame(frame):
    """The raw bytes of a frame, all of which is given. Raises Corrupt."""
    need(len(frame) >= HEADER_SIZE, "a header cut short")
    magic, version, codec, level, block_log, raw_size, stored_size = struct.unpack_from("<4sBBBBII", frame)
    need(magic == MAGIC and version in (1, 2) and 8 <= block_log <= 18, "not a frame's header")
    need(codec <= 3 and level in ((0,), range(1, 10), range(1, 20), (0,))[codec], "a codec or its level")
    need(frame[32:44] == bytes(12) and stored_size == len(frame), "a header's sizes or reserved bytes")
    block_size = 1 << block_log
    block_count = -(-raw_size // block_size)
    table_end = HEADER_SIZE + TABLE_ENTRY_SIZE * block_count
    at = payload_offset(version, block_count)
    need(1 <= raw_size <= RAW_SIZE_MAX and block_count <= BLOCKS_MAX, "a raw size")
    need(at <= stored_size <= at + raw_size, "a stored size")
    need(version == 1 or block_size >= PLAIN_ALIGNMENT and stored_size == at + raw_size, "a plain frame's sizes")
    need(not any(frame[table_end:at]), "something between table and blocks")
    need(struct.unpack_from("<I", frame, 44)[0] == crc32c(frame[:44] + frame[48:table_end]), "the checksum of a header")
    raw = b""
    for i in range(block_count):
        word, stored_crc, raw_crc = struct.unpack_from("<III", frame, HEADER_SIZE + TABLE_ENTRY_SIZE * i)
        stored = frame[at:at + (word & 0xFFFFF)]
        at += word & 0xFFFFF
        need(word >> 24 <= 15 and crc32c(stored) == stored_crc, "the checksum of stored bytes")
        need(version == 1 or word >> 20 & 15 == 0, "a block of a plain frame that is not raw")
        block = decode_block(word >> 20 & 15, stored, min(block_size, raw_size - len(raw)))
        need(crc32c(block) == raw_crc, "the checksum of raw bytes")
        raw += block
    need(at == len(frame) and len(raw) == raw_size, "bytes behind the last block")
    return raw


def main():
    if not ZSTD:
        print("needs libzstd")
        sys.exit(77)
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            print(f"{crc32c(decode_frame(file.read())):08X} {path}")


if __name__ == "__main__":
    main()
