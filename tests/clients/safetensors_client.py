"""Saves with the safetensors package, loads after a remount; run by the case of that name."""

import os

import files

numpy = files.need("numpy")
safetensors = files.need("safetensors")
safetensors_numpy = files.need("safetensors.numpy")
MNT = os.environ["MNT"]


def tensors(seed):
    dice = numpy.random.default_rng(seed)
    found = {f"block.{i}.weight": dice.standard_normal((512, 700), dtype=numpy.float32)
             for i in range(8)}
    found["half"] = dice.standard_normal((1000, 333)).astype(numpy.float16)
    found["ids"] = dice.integers(0, 50_000, 10_001)
    found["small"] = numpy.array([1.5])
    found["bytes"] = dice.integers(0, 255, 70_001).astype(numpy.uint8)
    return found


def same(loaded, wanted):
    assert loaded.keys() == wanted.keys()
    for name, array in wanted.items():
        assert loaded[name].dtype == array.dtype and (loaded[name] == array).all(), name


def main():
    for seed in range(3):  # over the one before: a temporary file, ftruncate, and a rename
        safetensors_numpy.save_file(tensors(seed), f"{MNT}/model.safetensors", {"step": str(seed)})
        same(safetensors_numpy.load_file(f"{MNT}/model.safetensors"), tensors(seed))
    safetensors_numpy.save_file(tensors(7), f"{MNT}/other.safetensors")

    files.survives_remount(MNT)
    same(safetensors_numpy.load_file(f"{MNT}/model.safetensors"), tensors(2))
    with safetensors.safe_open(f"{MNT}/other.safetensors", framework="np") as opened:  # mapped
        same({name: opened.get_tensor(name) for name in opened.keys()}, tensors(7))
    with open(f"{MNT}/model.safetensors", "rb") as file:
        same(safetensors_numpy.load(file.read()), tensors(2))


main()
