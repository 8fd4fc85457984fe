# CASE: an index whose manifest has a torn end, or is missing beside the one before, is refused by check; check --repair goes back to the state before, says so, and keeps what it cut; what was synced is there
# PLAIN: no
# AFTER: none
import glob
import os
import subprocess

from damage import control, damage, expect_intact, save

STORE = os.environ["STORE"]
INDEX = STORE + "/index"
# The head of a record of which the rest was not written: what is behind it is zeros.
TORN = bytes([0x11, 0x22, 0x33, 0x44, 100, 0, 1, 0xAA]) + bytes(200)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def check(*options):
    return run(os.environ["TENSORFSCTL"], "check", *options, STORE)


def the_manifest():
    with open(INDEX + "/CURRENT", encoding="ascii") as file:
        return f"{INDEX}/{file.read().strip()}"


def crash_and_tear():
    control("kill9")
    manifest = the_manifest()
    with open(manifest, "ab") as file:
        file.write(TORN)
    return manifest


def lose_the_name():
    """CURRENT is changed, and the new manifest is not there."""
    control("kill9")
    with open(INDEX + "/CURRENT", "w", encoding="ascii") as file:
        file.write("MANIFEST-999999\n")


def expect_repair(refusal, report):
    refused = check()
    assert refused.returncode == 8 and refusal in refused.stderr, refused
    assert not glob.glob(INDEX + "/*.damaged"), "a check without --repair wrote"
    repaired = check("--repair")
    assert repaired.returncode == 1 and repaired.stdout.count(report) == 1, repaired
    assert check().returncode == 0
    control("mount")


files = save({"large": 700_000, "small": 1000, "tiny": 1})
lose_the_name()
expect_repair("MANIFEST-999999", "MANIFEST-999999 is missing: the index is in the state of MANIFEST-")
expect_intact(files)
files.update(save({"later": 300_000}))
manifest = crash_and_tear()
expect_repair("checksum mismatch in file", "was damaged, 208 bytes: cut off")
with open(manifest + ".damaged", "rb") as file:
    assert file.read().endswith(TORN), "what was cut is not kept"
expect_intact(files)
with damage():
    pass
expect_intact(files)
