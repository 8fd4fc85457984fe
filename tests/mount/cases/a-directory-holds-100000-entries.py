# CASE: 100,000 names in one directory are made, listed, found after a remount, renamed and removed
# AFTER: none
# TIMEOUT: 300
import os
import stat
import subprocess

COUNT = 100_000
FOLDER = os.environ["MNT"] + "/many"


def name(number):
    return f"rank-{number:06d}-of-{COUNT}.distcp"


def expect_listing(wanted):
    with os.scandir(FOLDER) as entries:
        seen = [entry.name for entry in entries]
    assert len(seen) == len(set(seen)), "a name was listed twice"
    assert set(seen) == wanted, f"{len(set(seen) ^ wanted)} names differ"


def main():
    os.mkdir(FOLDER)
    for number in range(COUNT):
        os.mknod(f"{FOLDER}/{name(number)}", stat.S_IFREG | 0o644)
    wanted = {name(number) for number in range(COUNT)}
    expect_listing(wanted)
    subprocess.run([os.environ["TFS_PYTHON"], os.environ["TFS_RUNNER"], "--control", "remount"],
                   check=True)
    expect_listing(wanted)
    for number in range(0, COUNT, 997):
        assert os.stat(f"{FOLDER}/{name(number)}").st_size == 0
        os.rename(f"{FOLDER}/{name(number)}", f"{FOLDER}/moved-{number}")
        wanted.remove(name(number))
        wanted.add(f"moved-{number}")
    expect_listing(wanted)
    for number in range(COUNT):
        os.unlink(f"{FOLDER}/{name(number)}" if number % 997 else f"{FOLDER}/moved-{number}")
    expect_listing(set())
    os.rmdir(FOLDER)


main()
