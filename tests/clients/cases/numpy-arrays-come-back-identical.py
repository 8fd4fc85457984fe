# CASE: numpy's .npy, .npz and memory maps come back identical after a remount
import os

import files

numpy = files.need("numpy")
MNT = os.environ["MNT"]


def arrays():
    dice = numpy.random.default_rng(1)
    return {
        "float32": dice.standard_normal((700, 1001), dtype=numpy.float32),
        "float16": dice.standard_normal((333, 77)).astype(numpy.float16),
        "int64": dice.integers(0, 50000, size=400_000),
        "zeros": numpy.zeros((1000, 1000)),
        "fortran": numpy.asfortranarray(dice.standard_normal((300, 200))),
        "empty": numpy.zeros((0, 5)),
        "scalar": numpy.float64(3.5),
    }


def same(left, right):
    assert left.dtype == right.dtype and left.shape == right.shape
    assert left.tobytes() == right.tobytes()


def main():
    wanted = arrays()
    for name, array in wanted.items():
        numpy.save(f"{MNT}/{name}.npy", array)
    numpy.savez(f"{MNT}/all.npz", **wanted)
    numpy.savez_compressed(f"{MNT}/packed.npz", **wanted)
    mapped = numpy.lib.format.open_memmap(f"{MNT}/mapped.npy", mode="w+", dtype=numpy.float32,
                                          shape=wanted["float32"].shape)
    mapped[:] = wanted["float32"]
    mapped[5, :] = 42
    mapped.flush()
    del mapped
    again = numpy.load(f"{MNT}/mapped.npy", mmap_mode="r+")
    again[6, :] = 43
    del again

    files.survives_remount(MNT)
    changed = wanted["float32"].copy()
    changed[5, :], changed[6, :] = 42, 43
    for name, array in wanted.items():
        same(numpy.load(f"{MNT}/{name}.npy"), numpy.asarray(array))
        if numpy.asarray(array).size and numpy.asarray(array).ndim:
            same(numpy.load(f"{MNT}/{name}.npy", mmap_mode="c"), array)
    same(numpy.load(f"{MNT}/mapped.npy", mmap_mode="r"), changed)
    for archive in ("all", "packed"):
        with numpy.load(f"{MNT}/{archive}.npz") as loaded:
            assert set(loaded.files) == set(wanted)
            for name, array in wanted.items():
                same(loaded[name], numpy.asarray(array))


main()
