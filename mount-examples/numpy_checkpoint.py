#!/usr/bin/python3
"""Save arrays as .npy and .npz, load them, and map one into memory, on any directory.

usage: numpy_checkpoint.py DIRECTORY      for example a tensorfs mount
"""

import os
import sys

try:
    import numpy
except ImportError:
    print("skip: numpy is not installed (Debian: python3-numpy)")
    sys.exit(77)


def main(folder):
    rng = numpy.random.default_rng(11)
    weights = rng.normal(0, 0.02, (1024, 1024)).astype(numpy.float32)
    bias = rng.normal(0, 0.001, 1024).astype(numpy.float32)

    numpy.save(os.path.join(folder, "weights.npy"), weights)
    numpy.savez(os.path.join(folder, "model.npz"), weights=weights, bias=bias)

    loaded = numpy.load(os.path.join(folder, "weights.npy"))
    with numpy.load(os.path.join(folder, "model.npz")) as archive:
        from_archive = {name: archive[name] for name in archive.files}

    # A map that is written to changes the file in place: here, one row of the weights.
    mapped = numpy.load(os.path.join(folder, "weights.npy"), mmap_mode="r+")
    mapped[17] = bias
    mapped.flush()
    del mapped
    changed = numpy.load(os.path.join(folder, "weights.npy"))

    checks = {
        "weights.npy": numpy.array_equal(loaded, weights),
        "model.npz": all(
            numpy.array_equal(from_archive[name], array)
            for name, array in (("weights", weights), ("bias", bias))
        ),
        "memory map": numpy.array_equal(changed[17], bias)
        and numpy.array_equal(numpy.delete(changed, 17, 0), numpy.delete(weights, 17, 0)),
    }
    for name, same in checks.items():
        print(f"{name}: {'identical' if same else 'DIFFERENT'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1]))
