"""A disk of set speed: ext4 on a loop device over a file in memory, throttled by the kernel's blkio cgroup.

On a noisy machine, figures against a real disk say as much about the neighbours as about the filesystem; this
disk has the same speed in every run. Root only. Everything is undone in close(), in reverse order, whatever
of it had been done.
"""

import contextlib
import os
import re
import subprocess

CGROUPS = "/sys/fs/cgroup"
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


class DiskError(Exception):
    """A disk that cannot be had; the message says why."""


def parse_rate(text):
    """Bytes a second: decimal, as disks are sold. 500M is 500,000,000."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not found or int(found.group(1)) == 0:
        raise ValueError(f"'{text}' is not a rate like 500M")
    return int(found.group(1)) * UNITS[found.group(2)]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DiskError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def write_file(path, text):
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
    except OSError as err:
        raise DiskError(f"writing '{text}' to {path}: {err.strerror}") from err


def cgroup_of_self():
    """Our group in the one hierarchy of version 2, below its mount."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            if line.startswith("0::"):
                return line.strip()[3:].lstrip("/")
    raise DiskError("this process is in no cgroup of version 2")


class Throttle:
    """Limits a device to a rate, for all processes (version 1) or for us and our children (version 2)."""

    def __init__(self, device, rate, cgroups=CGROUPS):
        self.device = device  # "major:minor"
        self.rate = rate
        self.cgroups = cgroups
        self.undo = contextlib.ExitStack()

    def open(self):
        if os.path.exists(f"{self.cgroups}/blkio/blkio.throttle.write_bps_device"):
            self.open_version_1()
        elif os.path.exists(f"{self.cgroups}/cgroup.controllers"):
            self.open_version_2()
        else:
            raise DiskError(f"no blkio cgroup under {self.cgroups}")

    def open_version_1(self):
        for way in ("read", "write"):
            path = f"{self.cgroups}/blkio/blkio.throttle.{way}_bps_device"
            write_file(path, f"{self.device} {self.rate}")
            self.undo.callback(write_file, path, f"{self.device} 0")

    def open_version_2(self):
        """The root group takes no limits: a group of our own, which the daemons inherit. The memory controller
        makes write-back count as its writer's."""
        home = f"{self.cgroups}/{cgroup_of_self()}"
        group = f"{self.cgroups}/tensorfs-compare-{os.getpid()}"
        write_file(f"{self.cgroups}/cgroup.subtree_control", "+io +memory")
        os.mkdir(group)
        self.undo.callback(os.rmdir, group)
        write_file(f"{group}/io.max", f"{self.device} rbps={self.rate} wbps={self.rate}")
        self.undo.callback(write_file, f"{home}/cgroup.procs", str(os.getpid()))
        write_file(f"{group}/cgroup.procs", str(os.getpid()))

    def close(self):
        self.undo.close()


class Disk:
    """The device, its filesystem and its throttle. `directory` is where it is mounted."""

    def __init__(self, rate, size, work, memory="/dev/shm"):
        self.rate = rate
        self.size = size
        self.directory = os.path.join(work, "disk")
        self.image = os.path.join(memory, f"tensorfs-compare-{os.getpid()}.img")
        self.undo = contextlib.ExitStack()

    def open(self):
        if os.geteuid() != 0:
            raise DiskError("a disk of set speed needs root")
        try:
            self.open_steps()
        except BaseException:
            self.close()
            raise

    def open_steps(self):
        self.undo.callback(self.remove_image)
        with open(self.image, "wb") as file:
            file.truncate(self.size)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        loop = run("losetup", "-f", "--show", self.image)
        self.undo.callback(run, "losetup", "-d", loop)
        os.mkdir(self.directory)
        self.undo.callback(os.rmdir, self.directory)
        run("mount", loop, self.directory)
        self.undo.callback(run, "umount", self.directory)
        throttle = Throttle(run("lsblk", "-ndo", "MAJ:MIN", loop), self.rate)
        self.undo.callback(throttle.close)
        throttle.open()

    def remove_image(self):
        if os.path.exists(self.image):
            os.unlink(self.image)

    def close(self):
        self.undo.close()
