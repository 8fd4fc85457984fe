#!/usr/bin/python3
"""Train a little, save with torch.save, continue from `latest`: the usual loop, on any directory.

usage: torch_checkpoint.py DIRECTORY      for example a tensorfs mount
"""

import os
import sys

try:
    import torch
except ImportError:
    print("skip: PyTorch is not installed (Debian: python3-torch)")
    sys.exit(77)

STEPS = 3


def synchronise(folder):
    """A name that was made or changed is durable when its directory is."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def save(folder, step, model, optimizer):
    """Write the checkpoint durably, then let `latest` point at it, so that it never names half a file."""
    step_folder = os.path.join(folder, f"step-{step}")
    os.makedirs(step_folder, exist_ok=True)
    path = os.path.join(step_folder, "checkpoint.pt")
    with open(path + ".tmp", "wb") as file:
        torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".tmp", path)
    synchronise(step_folder)
    link = os.path.join(folder, "latest.tmp")
    os.symlink(f"step-{step}", link)
    os.rename(link, os.path.join(folder, "latest"))
    synchronise(folder)


def train_step(model, optimizer):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 512)).square().mean()
    loss.backward()
    optimizer.step()


def new_model():
    model = torch.nn.Sequential(torch.nn.Linear(512, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 512))
    return model, torch.optim.Adam(model.parameters())


def main(folder):
    model, optimizer = new_model()
    for step in range(1, STEPS + 1):
        train_step(model, optimizer)
        save(folder, step, model, optimizer)

    resumed_model, resumed_optimizer = new_model()
    checkpoint = torch.load(os.path.join(folder, "latest", "checkpoint.pt"), map_location="cpu")
    resumed_model.load_state_dict(checkpoint["model"])
    resumed_optimizer.load_state_dict(checkpoint["optimizer"])

    same = all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), checkpoint["model"].values()))
    moments = [state["exp_avg"] for state in optimizer.state_dict()["state"].values()]
    loaded = [state["exp_avg"] for state in resumed_optimizer.state_dict()["state"].values()]
    same = same and all(torch.equal(a, b) for a, b in zip(moments, loaded))
    print(f"resumed from step {checkpoint['step']}:", "model and optimizer are identical" if same else "DIFFERENT")
    return 0 if same and checkpoint["step"] == STEPS else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1]))
