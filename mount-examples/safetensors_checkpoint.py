#!/usr/bin/python3
"""Save a model in two safetensors shards with an index, as model hubs do, and load it, on any directory.

usage: safetensors_checkpoint.py DIRECTORY      for example a tensorfs mount

safetensors writes under a temporary name and renames; it never calls fsync. On tensorfs the renamed file
is whole after a crash all the same, see docs/SEMANTICS.md.
"""

import json
import os
import sys

try:
    import numpy
    from safetensors import safe_open
    from safetensors.numpy import save_file
except ImportError as error:
    print(f"skip: {error.name} is not installed (PyPI: safetensors; Debian: python3-numpy)")
    sys.exit(77)

LAYERS = 8
SHARDS = 2


def shard_name(shard):
    return f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"


def new_weights():
    rng = numpy.random.default_rng(7)
    shape = (512, 1024)
    return {
        f"layers.{layer}.weight": rng.normal(0, 0.02, shape).astype(numpy.float16) for layer in range(LAYERS)
    }


def save(folder, weights):
    weight_map = {}
    for shard in range(SHARDS):
        part = dict(list(weights.items())[shard::SHARDS])
        save_file(part, os.path.join(folder, shard_name(shard)), metadata={"format": "np"})
        weight_map.update({name: shard_name(shard) for name in part})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {}, "weight_map": weight_map}, file)


def load(folder):
    """Reads through the shards' memory maps, one tensor at a time, as servers do."""
    with open(os.path.join(folder, "model.safetensors.index.json"), encoding="utf-8") as file:
        weight_map = json.load(file)["weight_map"]
    weights = {}
    for name, shard in weight_map.items():
        with safe_open(os.path.join(folder, shard), framework="np") as tensors:
            weights[name] = tensors.get_tensor(name)
    return weights


def main(folder):
    saved = new_weights()
    save(folder, saved)
    loaded = load(folder)
    same = saved.keys() == loaded.keys() and all(
        saved[name].tobytes() == loaded[name].tobytes() for name in saved
    )
    print(f"{len(loaded)} tensors in {SHARDS} shards are", "identical" if same else "DIFFERENT")
    return 0 if same else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1]))
