#!/usr/bin/python3
"""Saves checkpoints as ordinary files, and loads and compares them; quickstart.sh runs it.

usage: quickstart.py save|load DIRECTORY MEGABYTES

The tensors are made from a seed, so that `load`, a process of its own that has seen nothing of the saving,
knows each byte that it must find. Where PyTorch is installed, torch.save and torch.load take part. Exits 1
if anything differs.
"""

import os
import random
import sys
import time

import tensors

try:
    import torch
except ImportError:
    torch = None

SEED = 20
WRITE_BYTES = 16 << 20  # libraries write large tensors in pieces like this


class Stopwatch:
    """Adds up bytes and seconds, with a line for each file."""

    def __init__(self, verb):
        self.verb = verb
        self.bytes = 0
        self.seconds = 0.0

    def line(self, name, byte_count, seconds):
        rate = byte_count / seconds / 1e9
        print(f"{self.verb}  {name:<20} {byte_count / 1e6:8.1f} MB {seconds:7.3f} s {rate:6.2f} GB/s")

    def measure(self, path, action):
        start = time.monotonic()
        result = action()
        seconds = time.monotonic() - start
        self.line(os.path.basename(path), os.path.getsize(path), seconds)
        self.bytes += os.path.getsize(path)
        self.seconds += seconds
        return result

    def total(self):
        self.line("together", self.bytes, self.seconds)


def torch_state(rng, byte_count):
    """A model's and an optimizer's tensors, as a training loop hands them to torch.save."""

    def floats(share, width, dtype):
        data = tensors.random_floats(rng, byte_count // 16 * share // 4 * 4, width)
        return torch.frombuffer(bytearray(data), dtype=dtype)

    return {
        "model": floats(3, 2, torch.bfloat16),
        "master": floats(6, 4, torch.float32),
        "exp_avg": floats(6, 4, torch.float32),
        "step": 1000,
    }


def same_state(left, right):
    """Whether two states are the same bit for bit; compared as numbers, NaN would not equal itself."""
    names = [name for name in left if name != "step"]
    return left["step"] == right["step"] and all(
        torch.equal(left[name].view(torch.int16), right[name].view(torch.int16)) for name in names
    )


def checkpoints(byte_count):
    """Yields (file name, content): bytes, or for PyTorch a state."""
    rng = random.Random(SEED)
    yield "model.safetensors", tensors.safetensors_file(rng, byte_count)
    yield "embeddings.npy", tensors.npy_file(rng, byte_count)
    if torch:
        yield "optimizer.pt", torch_state(rng, byte_count)


def synchronise(path):
    """fsync of a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def save_durably(path, content):
    """As a careful saver does it: write under another name, fsync, rename, fsync the directory."""
    temporary = path + ".tmp"
    if isinstance(content, bytes):
        with open(temporary, "wb", buffering=0) as file:
            view = memoryview(content)
            while view:
                view = view[file.write(view[:WRITE_BYTES]) :]
    else:
        torch.save(content, temporary)
    synchronise(temporary)
    os.rename(temporary, path)
    synchronise(os.path.dirname(path))


def load(path, content):
    """What the file holds, read as its library reads it."""
    if isinstance(content, bytes):
        with open(path, "rb", buffering=0) as file:
            return file.read()
    return torch.load(path)


def save_all(folder, byte_count):
    watch = Stopwatch("saved ")
    for name, content in checkpoints(byte_count):
        path = os.path.join(folder, name)
        watch.measure(path, lambda: save_durably(path, content))
    watch.total()
    return 0


def load_and_compare_all(folder, byte_count):
    watch = Stopwatch("loaded")
    wrong = []
    for name, content in checkpoints(byte_count):
        path = os.path.join(folder, name)
        found = watch.measure(path, lambda: load(path, content))
        same = found == content if isinstance(content, bytes) else same_state(found, content)
        if not same:
            wrong.append(name)
    watch.total()
    print("compared with what was saved:", f"DIFFERENT: {', '.join(wrong)}" if wrong else "identical, every byte")
    return 1 if wrong else 0


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("save", "load"):
        raise SystemExit(__doc__)
    byte_count = int(arguments[2]) * 1000 * 1000
    work = save_all if arguments[0] == "save" else load_and_compare_all
    return work(os.path.abspath(arguments[1]), byte_count)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
