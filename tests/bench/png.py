"""The pixels of a PNG as gnuplot writes it (8 bits, RGB or RGBA or palette, not interlaced)."""

import struct
import zlib


def _unfilter(kind, line, above, width):
    for i, byte in enumerate(line):
        left = line[i - width] if i >= width else 0
        up = above[i]
        corner = above[i - width] if i >= width else 0
        if kind == 1:
            byte += left
        elif kind == 2:
            byte += up
        elif kind == 3:
            byte += (left + up) // 2
        elif kind == 4:
            guess = left + up - corner
            distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
            byte += (left, up, corner)[distances.index(min(distances))]
        line[i] = byte & 0xFF


def read(path):
    """Returns (width, height, rows), a row being a list of tuples."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG")
    at, packed, header = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if zlib.crc32(kind + body) != struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0]:
            raise ValueError(f"bad checksum in {kind}")
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    width, height, depth, colour, _, _, interlaced = header
    channels = {2: 3, 3: 1, 6: 4}[colour]
    if depth != 8 or interlaced:
        raise ValueError("not as gnuplot writes it")
    raw, above, rows = zlib.decompress(packed), bytearray(width * channels), []
    for row in range(height):
        start = row * (width * channels + 1)
        line = bytearray(raw[start + 1:start + 1 + width * channels])
        _unfilter(raw[start], line, above, channels)
        above = line
        rows.append([tuple(line[i:i + channels]) for i in range(0, len(line), channels)])
    return width, height, rows
