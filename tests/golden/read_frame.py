#!/usr/bin/env python3
"""A reader of frames written from docs/FORMAT.md alone: read_frame.py ZSTD FRAME...

Decodes each file with Python's library and the program ZSTD, verifies every checksum, and prints the CRC32C of
the raw bytes. It shares no code with the store: where the two disagree, the specification or the store is wrong.
"""
import struct
import subprocess
import sys
import zlib

CRC_TABLE = []
for index in range(256):
    for _ in range(8):
        index = index >> 1 ^ (0x82F63B78 if index & 1 else 0)
    CRC_TABLE.append(index)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def u24(data, at):
    return int.from_bytes(data[at:at + 3], "little")


def zstd(program, data, size):
    raw = subprocess.run([program, "-d", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    assert len(raw) == size
    return raw


def decode_stream(program, coding, data, count):
    if coding == 0:
        assert len(data) == count
        return data
    if coding == 1:
        assert len(data) == 1
        return data * count
    assert coding == 2
    return zstd(program, data, count)


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


def decode_part(program, stored, at, left):
    """One part at offset `at`: its raw bytes, and the offset behind it."""
    size, kind, transform = u24(stored, at), stored[at + 3], stored[at + 4]
    width, rotated, head = 1 << (transform & 3), transform >> 2 & 1, transform >> 3 & 7
    assert 1 <= size <= left and kind <= 15 and transform < 0x40 and head < width and head <= size
    count = (size - head) // width
    tail = size - head - count * width
    literals = at + 5
    table = literals + head + tail
    at = table + 3 * width
    planes = {}
    for i in range(width):
        entry = u24(stored, table + 3 * i)
        length, plane, coding = entry & 0x7FFFF, entry >> 19 & 7, entry >> 22
        assert plane < width and plane not in planes and at + length <= len(stored)
        planes[plane] = decode_stream(program, coding, stored[at:at + length], count)
        at += length
    elements = merge([planes[k] for k in range(width)], count, rotated)
    return stored[literals:literals + head] + elements + stored[literals + head:table], at


def decode_block(program, method, stored, size):
    if method == 0:
        return stored
    if method == 1:
        word = stored or b"\0"
        return (word * (size // len(word) + 1))[:size]
    if method == 2:
        return zlib.decompress(stored, wbits=-15)
    if method == 3:
        return zstd(program, stored, size)
    assert method == 4
    raw, at = b"", 0
    while len(raw) < size:
        part, at = decode_part(program, stored, at, size - len(raw))
        raw += part
    assert at == len(stored)
    return raw


def decode_frame(program, frame):
    magic, version, codec, level, block_log, raw_size, stored_size, _, _ = struct.unpack_from(
        "<4sBBBBIIQQ", frame)
    assert magic == b"TFSF" and version == 1 and codec <= 3 and level <= 19
    assert frame[32:44] == bytes(12) and stored_size == len(frame)
    block_size = 1 << block_log
    block_count = -(-raw_size // block_size)
    at = 48 + 12 * block_count
    assert struct.unpack_from("<I", frame, 44)[0] == crc32c(frame[:44] + frame[48:at])
    raw = b""
    for i in range(block_count):
        word, stored_crc, raw_crc = struct.unpack_from("<III", frame, 48 + 12 * i)
        stored = frame[at:at + (word & 0xFFFFF)]
        at += len(stored)
        size = min(block_size, raw_size - len(raw))
        assert crc32c(stored) == stored_crc
        block = decode_block(program, word >> 20 & 15, stored, size)
        assert len(block) == size and crc32c(block) == raw_crc
        raw += block
    assert at == len(frame) and len(raw) == raw_size
    return raw


def main():
    for path in sys.argv[2:]:
        with open(path, "rb") as file:
            print(f"{crc32c(decode_frame(sys.argv[1], file.read())):08X} {path}")


if __name__ == "__main__":
    main()
