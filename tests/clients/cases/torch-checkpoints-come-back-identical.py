# CASE: torch.save's zip and legacy files load identical after a remount
# TIMEOUT: 240
import os

import files

torch = files.need("torch")
MNT = os.environ["MNT"]


def state(step):
    torch.manual_seed(step)
    weights = {f"layer.{i}.weight": torch.randn(400, 300) for i in range(6)}
    return {
        "model": weights,
        "half": {name: value.to(torch.bfloat16) for name, value in weights.items()},
        "ids": torch.randint(0, 50000, (100_000,)),
        "shared": [weights["layer.0.weight"], weights["layer.0.weight"].t()],
        "bool": torch.rand(1000) > 0.5,
        "empty": torch.zeros(0),
        "step": step,
    }


def same(left, right):
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            same(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for pair in zip(left, right):
            same(*pair)
    elif isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype and torch.equal(left, right)
    else:
        assert left == right


def save(value, path):
    """As a trainer does: beside the target, synced, renamed."""
    with open(path + ".tmp", "wb") as file:
        torch.save(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)


def main():
    for step in range(4):
        save(state(step), f"{MNT}/last.pt")
        torch.save(state(step), f"{MNT}/step-{step}.pt")  # by path: torch's own writer
        if os.path.lexists(f"{MNT}/latest"):
            os.unlink(f"{MNT}/latest")
        os.symlink(f"step-{step}.pt", f"{MNT}/latest")
        same(torch.load(f"{MNT}/latest"), state(step))
    torch.save(state(9), f"{MNT}/legacy.pt", _use_new_zipfile_serialization=False)
    flat = torch.randn(500_000)
    with open(f"{MNT}/raw", "wb") as file:
        file.write(flat.numpy().tobytes())

    files.survives_remount(MNT)
    same(torch.load(f"{MNT}/last.pt"), state(3))
    same(torch.load(f"{MNT}/latest"), state(3))
    same(torch.load(f"{MNT}/legacy.pt"), state(9))
    for step in range(4):
        same(torch.load(f"{MNT}/step-{step}.pt"), state(step))
    mapped = torch.from_file(f"{MNT}/raw", shared=False, size=500_000)
    assert torch.equal(mapped, flat)


main()
