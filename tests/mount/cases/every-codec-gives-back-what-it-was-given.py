# CASE: none, gzip, zstd and auto give back text, floats, zeros and noise, and shrink text
# PLAIN: no
# TIMEOUT: 240
import os
import random
import struct
import subprocess

from damage import MNT, control

CODECS = ["none", "gzip", "gzip:1", "gzip:9", "zstd", "zstd:1", "zstd:3", "zstd:19", "auto"]


def bf16_weights(count):
    """Normally distributed weights, cut to bfloat16."""
    dice = random.Random(16)
    return b"".join(struct.pack("<f", dice.gauss(0, 0.02))[2:] for _ in range(count))


def contents():
    dice = random.Random(1)
    words = ["loss", "step", "epoch", "0.1", "{}", "\n"]
    text = " ".join(dice.choice(words) for _ in range(150_000))
    weights, noise = bf16_weights(150_000), dice.randbytes(500_003)
    return {"text": text.encode(), "weights": weights, "noise": noise, "zeros": bytes(1_000_000),
            "mixed": text.encode()[:99_999] + weights + bytes(300_000) + noise, "tiny": b"x"}


def stored_bytes():
    subprocess.run(["sync", "-f", MNT], check=True)
    return int(subprocess.run(["du", "-s", "-B1", os.environ["STORE"]], check=True, text=True,
                              capture_output=True).stdout.split()[0])


def check(folder, files):
    for name, content in files.items():
        with open(f"{folder}/{name}", "rb") as file:
            assert file.read() == content, f"{folder}/{name} differs"


def main():
    files = contents()
    large_text = files["text"] * 20
    for codec in CODECS:
        control(f"remount compression={codec}")
        folder = f"{MNT}/{codec}"
        os.mkdir(folder)
        for name, content in files.items():
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        check(folder, files)
        before = stored_bytes()
        with open(f"{folder}/large-text", "wb") as file:
            file.write(large_text)
        grown = stored_bytes() - before
        ratio = grown / len(large_text)
        as_it_should = ratio > 0.9 if codec == "none" else ratio < 0.6
        assert as_it_should, f"{codec} stored text at {ratio}"
    control("remount")
    for codec in CODECS:
        check(f"{MNT}/{codec}", dict(files, **{"large-text": large_text}))


main()
