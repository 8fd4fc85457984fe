# CASE: HDF5 files, chunked, resized, changed in place, flushed, come back identical
import os

import files

h5py = files.need("h5py")
numpy = files.need("numpy")
MNT = os.environ["MNT"]


def main():
    dice = numpy.random.default_rng(2)
    weights = dice.standard_normal((600, 500), dtype=numpy.float32)
    losses = dice.standard_normal(20_000)
    with h5py.File(f"{MNT}/model.h5", "w") as file:
        file.create_dataset("plain", data=weights)
        file.create_dataset("packed", data=weights, chunks=(64, 64), compression="gzip")
        group = file.create_group("log")
        series = group.create_dataset("loss", shape=(0,), maxshape=(None,), chunks=(1024,))
        for at in range(0, len(losses), 500):  # grows like a training log
            series.resize((at + 500,))
            series[at:at + 500] = losses[at:at + 500]
            file.flush()
        group.attrs["unit"] = "nats"
    with h5py.File(f"{MNT}/model.h5", "r+") as file:
        file["plain"][100:200, 50:60] = 1.5
        del file["packed"]
        file["packed"] = weights[::2]
    weights_changed = weights.copy()
    weights_changed[100:200, 50:60] = 1.5

    files.survives_remount(MNT)
    with h5py.File(f"{MNT}/model.h5", "r") as file:
        assert (file["plain"][...] == weights_changed).all()
        assert (file["packed"][...] == weights[::2]).all()
        assert numpy.allclose(file["log/loss"][...], losses.astype(numpy.float32))
        assert file["log"].attrs["unit"] == "nats"


main()
