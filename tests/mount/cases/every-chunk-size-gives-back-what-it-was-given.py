# CASE: chunk sizes from 256 bytes to 64 MiB give back all that was written, changed and cut
# PLAIN: no
# TIMEOUT: 240
import os
import random

from damage import MNT, control

KIB, MIB = 1 << 10, 1 << 20


def exercise(path, chunk):
    """Write about two and a half chunks in odd pieces, change some, and return the content."""
    dice = random.Random(chunk)
    size = min(max(chunk * 5 // 2, 40_000), 80 * MIB) + 77
    content = bytearray(dice.randbytes(size))
    with open(path, "wb", buffering=0) as file:
        for at in range(0, size, 700_001):
            file.write(content[at:at + 700_001])
        for _ in range(20):
            length = dice.randrange(1, min(3 * chunk, size // 4))
            at = dice.randrange(size - length)
            content[at:at + length] = dice.randbytes(length)
            os.pwrite(file.fileno(), content[at:at + length], at)
        cut = size - size // 5
        os.ftruncate(file.fileno(), cut)
        os.ftruncate(file.fileno(), cut + 1000)
        content[cut:] = bytes(1000)
    return bytes(content)


def expect(path, content):
    with open(path, "rb") as file:
        assert file.read() == content, f"{path} differs"


def main():
    chunks = [256 << shift for shift in range(19)]
    assert chunks[-1] == 64 * MIB
    total = {}
    for chunk in chunks:
        control(f"remount chunk_size={chunk},compression=none")
        path = f"{MNT}/chunk-{chunk}"
        total[path] = exercise(path, chunk)
        expect(path, total[path])
        if chunk >= 16 * MIB:  # checked and removed at once: the disk need not hold them all
            control("remount chunk_size=4M")
            expect(path, total.pop(path))
            os.unlink(path)
    control("remount chunk_size=1M")
    for path, content in total.items():
        expect(path, content)
    for path in list(total)[:8]:  # tiny chunks of a file stay tiny whatever the mount says now
        with open(path, "r+b") as file:
            file.seek(1000)
            file.write(b"changed under another chunk size")
        expect(path, total[path][:1000] + b"changed under another chunk size" + total[path][1032:])


main()
