"""Tensors as trained weights are, and files that hold them, with nothing but Python.

Normal random numbers, one scale a row of the file, in bf16 and fp32: neither zeros nor noise, so that what
a filesystem makes of them is what it makes of real checkpoints. The same seed gives the same bytes.
"""

import json
import math
import struct

ROW_BYTES = 256 * 1024


def exponent_tables(scale, exponent_bits_low):
    """Tables from a random byte to a float's top byte and to the exponent's lowest bit below it.

    The top bit of the random byte is the sign; the other seven choose one of 128 equally likely pieces of
    the half normal distribution with this scale, whose middle gives the exponent.
    """
    top, below = bytearray(256), bytearray(256)
    for byte in range(256):
        probability = 0.5 + (byte % 128 + 0.5) / 256
        value = scale * normal_quantile(probability)
        exponent = max(1, 127 + math.frexp(value)[1] - 1)
        top[byte] = (byte & 0x80) | exponent >> 1
        below[byte] = (exponent & 1) << exponent_bits_low
    return bytes(top), bytes(below)


def normal_quantile(probability):
    """The value below which a standard normal number falls with this probability, by bisection."""
    low, high = -10.0, 10.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        if 0.5 * math.erfc(-middle / math.sqrt(2)) < probability:
            low = middle
        else:
            high = middle
    return low


def or_bytes(left, right):
    """The bitwise or of two byte strings of one size, at the speed of memory."""
    joined = int.from_bytes(left, "little") | int.from_bytes(right, "little")
    return joined.to_bytes(len(left), "little")


def random_floats(rng, byte_count, width):
    """Little-endian floats of 2 (bf16) or 4 (fp32) bytes, normal, each row with a scale of its own."""
    out = bytearray()
    seven_bits = bytes(byte & 0x7F for byte in range(256))
    while len(out) < byte_count:
        count = min(ROW_BYTES, byte_count - len(out)) // width
        top, below = exponent_tables(0.02 * math.exp(rng.uniform(-2, 2)), 7)
        chosen = rng.randbytes(count)
        row = bytearray(count * width)
        row[width - 1 :: width] = chosen.translate(top)
        mantissa = rng.randbytes(count).translate(seven_bits)
        row[width - 2 :: width] = or_bytes(mantissa, chosen.translate(below))
        for place in range(width - 2):
            row[place::width] = rng.randbytes(count)
        out += row
    return bytes(out)


def safetensors_file(rng, byte_count):
    """A safetensors file of bf16 layers: eight bytes of header size, JSON, the tensors' bytes."""
    layer_bytes = byte_count // 8 // 4096 * 4096
    header, parts, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for layer in range(8):
        shape = [layer_bytes // 4096, 2048]
        offsets = [offset, offset + layer_bytes]
        header[f"model.layers.{layer}.weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": offsets}
        parts.append(random_floats(rng, layer_bytes, 2))
        offset += layer_bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text] + parts)


def npy_file(rng, byte_count):
    """A .npy file of fp32, version 1.0: magic, header size, a Python literal, the array's bytes."""
    rows = byte_count // 4096
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 1024), }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + random_floats(rng, rows * 4096, 4)
