# CASE: validate finds the tensors of distributed checkpoints, of torch's own files and of others
# TIMEOUT: 240
import json
import os
import pickle
import subprocess
import sys
import types

import files

torch = files.need("torch")
try:
    from torch.distributed import checkpoint
except ImportError:  # Debian's torch comes without
    checkpoint = None
MNT = os.environ["MNT"]
COUNT = 12


def state():
    torch.manual_seed(1)
    tensors = {f"layer.{i}.weight": torch.randn(300, 100 + i) for i in range(COUNT)}
    tensors["layer.3.weight"][7, 7] = float("nan")
    return tensors


def metadata_class(module, name):
    """A class that is pickled by the name that torch's has."""
    found = type(name, (), {"__module__": module})
    sys.modules.setdefault(module, types.ModuleType(module)).__dict__[name] = found
    return found


def metadata_object(name, module="torch.distributed.checkpoint.metadata", **members):
    known = getattr(sys.modules.get(module), name, None)
    made = (known or metadata_class(module, name))()
    made.__dict__.update(members)
    return made


def save_metadata(path, places):
    """What the coordinator writes at the end: where each tensor is."""
    objects = {name: metadata_object("TensorStorageMetadata", chunks=[metadata_object("ChunkStorageMetadata")])
               for name in places}
    stored = {metadata_object("MetadataIndex", fqn=name, index=0):
              metadata_object("_StorageInfo", "torch.distributed.checkpoint.filesystem",
                              relative_path=file, offset=offset, length=length)
              for name, (file, offset, length) in places.items()}
    with open(f"{path}/.metadata", "wb") as file:
        pickle.dump(metadata_object("Metadata", state_dict_metadata=objects, storage_data=stored), file)


def save_distributed(path, single_file_per_rank=True):
    if hasattr(checkpoint, "save"):
        writer = checkpoint.FileSystemWriter(path, single_file_per_rank=single_file_per_rank)
        checkpoint.save(state(), storage_writer=writer, no_dist=True)
        return
    os.mkdir(path)  # what the writer does: one torch.save behind the other
    places = {}
    for number, (key, tensor) in enumerate(state().items()):
        name = "__0_0.distcp" if single_file_per_rank else f"__0_{number}.distcp"
        with open(f"{path}/{name}", "ab") as file:
            begin = file.tell()
            torch.save(tensor, file)
            places[key] = (name, begin, file.tell() - begin)
    save_metadata(path, places)


def validate(path, *more):
    done = subprocess.run([os.environ["PROGRAM"], "validate", path, "--device=cpu", "--json", *more],
                          stdout=subprocess.PIPE, check=False)
    return done.returncode, json.loads(done.stdout)


def expect_found(path):
    """All tensors of state() by their sizes, one NaN among them, all compared with the store."""
    status, found = validate(path)
    assert status == 0 and found["problem_count"] == 0, found
    assert all(file["checked_against"] == "store" for file in found["files"] if file["bytes"]), found
    tensors = [tensor for file in found["files"] for tensor in file["tensors"]]
    wanted = sorted(value.numel() for value in state().values())
    assert sorted(tensor["elements"] for tensor in tensors) == wanted, tensors
    assert {tensor["dtype"] for tensor in tensors} == {"f32"}, tensors
    assert sum(tensor["nan"] for tensor in tensors) == 1, tensors
    assert validate(path, "--no-nan")[0] == 1


def save_by_hand(path):
    """The other formats, without the packages that write them."""
    os.mkdir(path)
    header = json.dumps({"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}).encode()
    with open(f"{path}/a.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + bytes(9))
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9,), }"
    with open(f"{path}/a.npy", "wb") as file:
        file.write(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(9))


def expect_by_hand(path):
    status, found = validate(path)
    assert status == 0, found
    assert [file["format"] for file in found["files"]] == ["npy", "safetensors"], found
    assert [file["tensors"][0]["zero"] for file in found["files"]] == [9, 9], found


def expect_cut_off_is_bad(path):
    """A file that ends in the middle of a tensor. Its blocks are what was written; it is not whole."""
    name = max((name for name in os.listdir(path) if name.endswith(".distcp")),
               key=lambda name: os.path.getsize(f"{path}/{name}"))
    os.truncate(f"{path}/{name}", os.path.getsize(f"{path}/{name}") - 60_000)
    status, found = validate(path)
    problems = [problem for file in found["files"] for problem in file["problems"]]
    assert status == 1, found
    assert sorted(problem["kind"] for problem in problems) == ["malformed", "missing"], found


def expect_incomplete_is_bad(path):
    """Each file is whole, but not all of the checkpoint is there."""
    sizes = {name: os.path.getsize(f"{path}/{name}") for name in sorted(os.listdir(path)) if name != ".metadata"}
    last = max(name for name in sizes if sizes[name])
    os.unlink(f"{path}/{last}")
    status, found = validate(path)
    problems = [problem for file in found["files"] for problem in file["problems"]]
    assert status == 1 and len(problems) == 1, found
    assert f"'{last}' with 1 pieces" in problems[0]["text"] and "is missing" in problems[0]["text"], found
    os.unlink(f"{path}/.metadata")
    status, found = validate(path)
    problems = [problem["text"] for file in found["files"] for problem in file["problems"]]
    assert status == 1 and problems == ["'.metadata', which is written last, is missing beside it"], found


def main():
    save_distributed(f"{MNT}/one-file")
    save_distributed(f"{MNT}/a-file-for-each", single_file_per_rank=False)
    os.mkdir(f"{MNT}/saved")
    torch.save(state(), f"{MNT}/saved/by-path.pt")
    os.mkdir(f"{MNT}/legacy")
    torch.save(state(), f"{MNT}/legacy/legacy.pt", _use_new_zipfile_serialization=False)
    save_by_hand(f"{MNT}/by-hand")

    files.survives_remount(MNT)
    for name in ("one-file", "a-file-for-each", "saved"):
        expect_found(f"{MNT}/{name}")
    expect_found(f"{MNT}/legacy")
    expect_by_hand(f"{MNT}/by-hand")
    expect_cut_off_is_bad(f"{MNT}/one-file")
    expect_incomplete_is_bad(f"{MNT}/a-file-for-each")


main()
