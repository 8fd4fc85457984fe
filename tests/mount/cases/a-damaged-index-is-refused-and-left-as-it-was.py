# CASE: a store whose index or folders lack a file, or have a damaged one, is refused with one line that says so, by mount, check, repair and scrub; none of them changes it, and with the file back all is there
# PLAIN: no
# AFTER: none
import glob
import hashlib
import os
import subprocess

from damage import control, damage, expect_intact, flip, save

MNT, STORE, WORK = os.environ["MNT"], os.environ["STORE"], os.environ["WORK"]
INDEX = STORE + "/index"
# A log of RocksDB's own, of which nothing depends.
WITHOUT = ("LOG",)


def largest(pattern):
    return max(glob.glob(f"{INDEX}/{pattern}"), key=os.path.getsize)


def state():
    """Name, size and content of all that the store has."""
    found = {}
    for folder, _, names in os.walk(STORE):
        for name in names:
            if not name.startswith(WITHOUT):
                with open(f"{folder}/{name}", "rb") as file:
                    found[f"{folder}/{name}"] = hashlib.sha256(file.read()).digest()
    return found


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def mounting():
    return [os.environ["TENSORFS"], STORE, MNT]


def tool(*arguments):
    return [os.environ["TENSORFSCTL"], *arguments, STORE]


def expect_refused(what, words):
    before = state()
    for status, command in ((8, tool("check")), (8, tool("check", "--repair")), (1, tool("scrub")),
                            (1, mounting())):
        done = run(*command)
        said = f"{what}: {command[:2]} ended with {done.returncode}: {done.stdout} {done.stderr}"
        assert done.returncode == status and done.stdout == "" and done.stderr.count("\n") == 1, said
        assert words in done.stderr, said
        assert state() == before, f"{what}: {command[:2]} changed the store"


def replace(path, content):
    def act():
        with open(path, "wb") as file:
            file.write(content)
    return act


def ways_to_damage():
    """What is done, to which file, and what the line names; the file is put back after each."""
    table, manifest = largest("*.sst"), largest("MANIFEST-*")
    current, seal = f"{INDEX}/CURRENT", f"{INDEX}/SEAL"
    sealed = "one of CURRENT, the manifest and SEAL"
    yield "a table is missing", table, lambda: os.unlink(table), os.path.basename(table)
    yield "a table is cut", table, lambda: os.truncate(table, 100), os.path.basename(table)
    yield "the manifest is missing", manifest, lambda: os.unlink(manifest), sealed
    yield "a bit of the manifest", manifest, lambda: flip((manifest, 100)), sealed
    yield "CURRENT is missing", current, lambda: os.unlink(current), sealed
    yield "CURRENT is something else", current, replace(current, b"MANIFEST-\x1b[2J\n"), sealed
    yield "SEAL is something else", seal, replace(seal, b"\n"), sealed


def each_damage_is_refused():
    for what, path, act, words in ways_to_damage():
        with open(path, "rb") as file:
            content = file.read()
        act()
        expect_refused(what, words)
        replace(path, content)()


def the_same_after_a_crash():
    """Without a seal, as a mount leaves it that was killed."""
    os.unlink(f"{INDEX}/SEAL")
    current = f"{INDEX}/CURRENT"
    os.rename(current, f"{WORK}/CURRENT")
    expect_refused("CURRENT is missing, no seal", "CURRENT is missing")
    os.rename(f"{WORK}/CURRENT", current)
    logs = glob.glob(f"{INDEX}/*.log")
    for log in logs:
        os.rename(log, f"{WORK}/{os.path.basename(log)}")
    expect_refused("the log is missing, no seal", "its log, *.log, is missing")
    for log in logs:
        os.rename(f"{WORK}/{os.path.basename(log)}", log)
    os.rename(INDEX, f"{WORK}/index")
    expect_refused("the index is missing", "it is missing")
    os.rename(f"{WORK}/index", INDEX)
    os.rename(f"{STORE}/segments", f"{WORK}/segments")
    expect_refused("the segments are missing", "its 'segments': No such file or directory")
    os.rename(f"{WORK}/segments", f"{STORE}/segments")


def a_block_that_cannot_be_read_is_told():
    """A table opens, and is read block by block: only who meets the block notices."""
    table = largest("*.sst")
    flip((table, 100))
    before = state()
    for repair in ([], ["--repair"]):
        done = run(*tool("check", *repair))
        assert done.returncode == 4 and "nothing corrected" in done.stdout, done
        assert os.path.basename(table) in done.stderr, done
    assert state() == before, "check --repair changed an index that it cannot read"
    done = run(*tool("scrub"))
    assert done.returncode == 1 and "'tensorfsctl check' tells more" in done.stderr, done
    flip((table, 100))


files = save({"large": 700_000, "small": 1000, "tiny": 1})
with damage():
    each_damage_is_refused()
    clean = run(*tool("check"))
    assert clean.returncode == 0, clean
    the_same_after_a_crash()
expect_intact(files)
with damage():
    a_block_that_cannot_be_read_is_told()
expect_intact(files)
