"""Where compare.py measures: a directory, or a filesystem that is mounted for it.

A place has `directory`, in which tests work, and can be made cold. What cold means depends on what the user
may do, and is said in the results: see `cold_means`.
"""

import mmap
import os
import shutil
import subprocess
import time

DROP_CACHES = "/proc/sys/vm/drop_caches"
MOUNT_SECONDS_MAX = 30


class PlaceError(Exception):
    """A place that cannot be had; the message says why."""


def can_drop_caches():
    return os.geteuid() == 0 and os.access(DROP_CACHES, os.W_OK)


def cold_means():
    """How pages are made cold, in words; mounts are made anew besides."""
    if can_drop_caches():
        return "remounted, sync, drop_caches"
    return "remounted, sync, posix_fadvise(DONTNEED) on every file: names and inodes stay cached"


def touch_memory(size):
    """A virtual machine's host takes free memory back and is slow to give it again: up to ten times slower than
    everything that is measured here. Memory that was just in use is not taken at once."""
    size = min(size, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    mmap.mmap(-1, max(size, mmap.PAGESIZE), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


def files_below(directory):
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                yield path


def forget_pages(directory):
    """Takes the pages of all files out of the kernel's cache; as root, of the whole machine."""
    os.sync()
    if can_drop_caches():
        with open(DROP_CACHES, "w", encoding="ascii") as file:
            file.write("3\n")
        return
    for path in files_below(directory):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def allocated_bytes(directory):
    """What the files below occupy on the disk: holes are not counted, preallocated space is."""
    return sum(os.lstat(path).st_blocks * 512 for path in files_below(directory))


class Place:
    """A plain directory: the native filesystem."""

    keeps_data = True  # what is written can be read back
    has_names = True  # it knows directories, links and renames
    pid = 0

    def __init__(self, name, work):
        self.name = name
        self.directory = os.path.join(work, name.replace(":", "-"))

    def start(self):
        os.mkdir(self.directory)

    def stop(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def make_cold(self):
        forget_pages(self.directory)

    def stored_bytes(self):
        os.sync()
        return allocated_bytes(self.directory)

    def forget_peak(self):
        """Starts a new peak of the daemon's memory."""

    def peak_bytes(self):
        """The daemon's peak of resident memory since forget_peak(); None: no daemon."""
        return None


class Mount(Place):
    """A filesystem that a program in the foreground serves."""

    def __init__(self, name, work, command):
        super().__init__(name, work)
        self.command = command  # the mountpoint is added
        self.log = self.directory + ".log"
        self.daemon = None

    @property
    def pid(self):
        return self.daemon.pid if self.daemon else 0

    def start(self):
        os.mkdir(self.directory)
        self.mount()

    def mount(self):
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(self.command + [self.directory], stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)
        deadline = time.monotonic() + MOUNT_SECONDS_MAX
        while not os.path.ismount(self.directory):
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise PlaceError(f"{self.name} did not mount: {self.last_words()}")
            time.sleep(0.01)
        os.listdir(self.directory) if self.has_names else os.stat(self.directory)

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()
        return lines[-1] if lines else "it said nothing"

    def unmount(self):
        """Ends when the daemon has: then everything is stored."""
        subprocess.run(["fusermount3", "-u", self.directory], check=True)
        if self.daemon.wait(120) != 0:
            raise PlaceError(f"{self.name} ended with {self.daemon.returncode}: {self.last_words()}")
        self.daemon = None

    def stop(self):
        if self.daemon:
            subprocess.run(["fusermount3", "-uz", self.directory], check=False, stderr=subprocess.DEVNULL)
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
            self.daemon = None
        if os.path.isdir(self.directory) and not os.path.ismount(self.directory):
            os.rmdir(self.directory)

    def stored_bytes(self):
        return None

    def forget_peak(self):
        try:
            with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
                file.write("5\n")
        except OSError:
            pass  # the peak since the mount then

    def peak_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return None


class Null(Mount):
    """bench/nullfs/nullfs: the ceiling of data."""

    keeps_data = False
    has_names = False

    def __init__(self, work, build):
        super().__init__("null", work, [os.path.join(build, "bench/nullfs/nullfs")])


class Memory(Mount):
    """bench/nullfs/memfs: the ceiling of names, our mount over a store in memory."""

    def __init__(self, work, build):
        super().__init__("memory", work, [os.path.join(build, "bench/nullfs/memfs"), "-f", "none"])


class Tensorfs(Mount):
    """tensorfs with one codec, its store in a directory beside the native one."""

    def __init__(self, codec, work, build, options):
        self.store = os.path.join(work, "store-" + codec.replace(":", "-"))
        options = ",".join([f"compression={codec}"] + options)
        super().__init__(codec, work, [os.path.join(build, "fs/tensorfs"), "-f", "-o", options, self.store])

    def make_cold(self):
        self.unmount()
        forget_pages(self.store)
        self.mount()

    def stop(self):
        super().stop()
        shutil.rmtree(self.store, ignore_errors=True)

    def stored_bytes(self):
        """Of the whole store, unmounted: what is preallocated while it is mounted is not counted."""
        self.unmount()
        stored = allocated_bytes(self.store)
        self.mount()
        return stored
