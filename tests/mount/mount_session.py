"""One tensorfs daemon and its mount: start, unmount, kill, and the traces that either leaves.

The daemon runs in the foreground (-f) as our own child, so that its exit status and everything that
it writes to stderr, sanitizer reports included, belong to the test that mounted it.
"""

import os
import signal
import subprocess
import time

START_SECONDS = 60  # a sanitizer build on a busy machine needs some
STOP_SECONDS = 120
POLL_SECONDS = 0.01
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                   "WARNING: ThreadSanitizer", "Assertion `")


class SessionError(Exception):
    """The filesystem did not do what a mount or an unmount must do."""


def mounts_below(directory, kind=""):
    """Mountpoints at or below `directory` whose type begins with `kind`, the innermost first."""
    directory = os.path.realpath(directory)
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            point = line.split()[4]
            for escape, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
                point = point.replace(escape, char)
            if not line.partition(" - ")[2].startswith(kind):
                continue
            if point == directory or point.startswith(directory + "/"):
                found.append(point)
    return sorted(found, key=len, reverse=True)


def device_of(mountpoint):
    """The mount's device as mountinfo writes it."""
    device = os.stat(mountpoint).st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def who_has(device):
    """Which processes see a mount of tensorfs of this device in a mount namespace: text for people."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as lines:
                points = [line.split()[4] for line in lines
                          if line.split()[2] == device and " - fuse.tensorfs " in line]
            if points:
                namespace = os.readlink(f"/proc/{pid}/ns/mnt")
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
                    found.setdefault(namespace, f"{name.read().strip()} ({pid}) on {points[0]}")
        except OSError:
            continue
    ours = os.readlink("/proc/self/ns/mnt")
    return "; ".join(f"{'our own' if namespace == ours else 'the'} mount namespace {namespace} has it: {who}"
                     for namespace, who in found.items()) or "no mount namespace has it"


def unmount(mountpoint, lazy=False, seconds=10):
    """Unmount, as root or not; a busy mount is tried again, for the kernel closes files late."""
    if os.geteuid() == 0:
        command = ["umount"] + (["-l"] if lazy else []) + [mountpoint]
    else:
        command = ["fusermount3", "-uz" if lazy else "-u", mountpoint]
    deadline = time.monotonic() + seconds
    while True:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise SessionError(f"{' '.join(command)}: {done.stderr.strip()}")
        time.sleep(0.05)


class Session:
    """A store, a mountpoint, and the daemon between them while there is one."""

    def __init__(self, binary, store, mountpoint, options, log_path):
        self.binary = binary
        self.store = store
        self.mountpoint = mountpoint
        self.options = options
        self.log_path = log_path
        self.environment = None  # of the daemon; None: as our own
        self.process = None
        self.device = None  # of the mount

    def start(self, options=None):
        """Mount and return when the mount answers. `options` replace the old ones from here on."""
        if options is not None:
            self.options = options
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while not mounts_below(self.mountpoint):
            if self.process.poll() is not None:
                status = self.process.returncode
                self.process = None
                raise SessionError(f"the daemon exited with {status} instead of mounting: "
                                   + "".join(self.log_lines()[-1:]).strip())
            if time.monotonic() > deadline:
                self.kill()
                raise SessionError(f"no mount within {START_SECONDS} s")
            time.sleep(POLL_SECONDS)
        os.statvfs(self.mountpoint)
        self.device = device_of(self.mountpoint)

    def launch(self):
        if self.process:
            raise SessionError("already mounted")
        command = [self.binary, "-f"]
        if self.options:
            command += ["-o", self.options]
        command += [self.store, self.mountpoint]
        with open(self.log_path, "ab") as log:
            log.write(f"--- {' '.join(command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True,
                                            env=self.environment)

    def stop(self):
        """Unmount; the daemon must then end by itself with status 0."""
        if not self.process:
            raise SessionError("not mounted")
        unmount(self.mountpoint)
        self.wait_for_exit()

    def wait_for_exit(self):
        """Wait for the end of a daemon that has been told to stop."""
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            holders = who_has(self.device)
            self.kill()
            raise SessionError(f"the daemon lived on {STOP_SECONDS} s after umount: {holders}") from None
        self.process = None
        if status != 0:
            raise SessionError(f"the daemon ended with status {status}")

    def kill(self):
        """SIGKILL: the daemon gets no chance to write anything more."""
        if not self.process:
            raise SessionError("not mounted")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        for point in mounts_below(self.mountpoint):
            unmount(point, lazy=True)

    def die_mounting(self, seconds):
        """Start, and SIGKILL after so long, whether the mount is there by then or not."""
        self.launch()
        time.sleep(seconds)
        self.kill()

    def remount(self, options=None):
        self.stop()
        self.start(options)

    def crash(self, options=None):
        self.kill()
        self.start(options)

    def log_lines(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.readlines()
        except FileNotFoundError:
            return []

    def sanitizer_report(self):
        """What a sanitizer or a failed assert left in the log, from its first line on."""
        lines = self.log_lines()
        for number, line in enumerate(lines):
            if any(mark in line for mark in SANITIZER_MARKS):
                return "".join(lines[number:number + 80])
        return ""

    def log_tail(self):
        """What tells most about a failure."""
        return self.sanitizer_report() or "".join(self.log_lines()[-40:])
