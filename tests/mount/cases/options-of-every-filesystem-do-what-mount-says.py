# CASE: sync, dirsync, strictatime and nosymfollow hold; what means nothing to tensorfs is taken all the same
# MOUNT: none
# NEEDS: root
import errno
import json
import mmap
import os
import subprocess

MNT, STORE, TENSORFS, TOOL = (os.environ[name] for name in ("MNT", "STORE", "TENSORFS", "TENSORFSCTL"))
PAGE = os.urandom(4096)


class Mounted:
    def __init__(self, options):
        self.options = options

    def __enter__(self):
        subprocess.run([TENSORFS, "-o", self.options, STORE, MNT], check=True, stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        subprocess.run(["umount", MNT], check=True)


def syncs():
    done = subprocess.run([TOOL, "--json", "stats", MNT], capture_output=True, check=True)
    return json.loads(done.stdout)["commit"]["syncs"]


def made_by(change, *arguments):
    before = syncs()
    change(*arguments)
    return syncs() - before


def write(name, flags=0):
    file = os.open(f"{MNT}/{name}", os.O_CREAT | flags, 0o644)
    made = made_by(os.write, file, PAGE)
    os.close(file)
    return made


def mount_flags():
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        return next(line for line in lines if f" {MNT} " in line)


def names():
    """What each change of names makes of syncs."""
    path = f"{MNT}/name"
    return [made_by(os.mkdir, path), made_by(os.rmdir, path), made_by(os.symlink, "to", path),
            made_by(os.rename, path, path + "2"), made_by(os.link, f"{MNT}/file", path),
            made_by(os.unlink, path), made_by(os.unlink, path + "2"), made_by(os.mknod, path),
            made_by(os.unlink, path)]


def attributes():
    path = f"{MNT}/file"
    return [made_by(os.chmod, path, 0o600), made_by(os.utime, path, (1, 1)), made_by(os.truncate, path, 100),
            made_by(os.setxattr, path, "user.a", b"x"), made_by(os.removexattr, path, "user.a")]


with Mounted("async"):
    assert write("file", os.O_WRONLY) == 0 and write("file", os.O_RDWR) == 0
    assert not any(names()) and not any(attributes())
with Mounted("dirsync"):
    assert write("file", os.O_WRONLY) == 0
    assert all(names()), names()
    assert not any(attributes())
    assert made_by(lambda: os.close(os.open(f"{MNT}/made", os.O_CREAT | os.O_WRONLY))) > 0
    os.unlink(f"{MNT}/made")
with Mounted("sync"):
    for kind in (os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND):
        assert write("file", kind) > 0, kind
    assert all(names()) and all(attributes())
    assert made_by(lambda: os.close(os.open(f"{MNT}/file", os.O_WRONLY | os.O_TRUNC))) > 0
    assert "sync" in mount_flags().split(" - ")[1], mount_flags()

for options, moves in (("atime", False), ("strictatime", True), ("noatime,strictatime", False)):
    with Mounted(options):
        with open(f"{MNT}/file", "wb") as file:
            file.write(PAGE)
        moved = []
        for _ in range(2):  # the first read after a change moves it as relatime does
            before = os.stat(f"{MNT}/file").st_atime_ns
            file = os.open(f"{MNT}/file", os.O_RDONLY | os.O_DIRECT)
            os.preadv(file, [mmap.mmap(-1, 4096)], 0)
            os.close(file)
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as knob:
                knob.write("2")
            moved.append(os.stat(f"{MNT}/file").st_atime_ns > before)
        assert moved[1] == moves, (options, moved)

with Mounted("symfollow"):
    os.symlink("file", f"{MNT}/link")
    os.stat(f"{MNT}/link")
with Mounted("nosymfollow"):
    assert os.readlink(f"{MNT}/link") == "file"
    try:
        os.stat(f"{MNT}/link")
        raise AssertionError("the link was followed")
    except OSError as error:
        assert error.errno == errno.ELOOP, error
    assert "nosymfollow" in mount_flags(), mount_flags()

with Mounted("rw,nodiratime,lazytime,silent,loud,iversion,mand,norelatime,comment=a text,_netdev,user=me,x-a.b=c"):
    assert os.path.getsize(f"{MNT}/file") == len(PAGE)
