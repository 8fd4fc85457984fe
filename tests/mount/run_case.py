#!/usr/bin/env python3
"""Runs one case: a program that proves sentences about a mounted filesystem.

    run_case.py --tensorfs BINARY --work DIR CASE [PROGRAM]
    run_case.py --control COMMAND        (from within a case: ask the runner for something)

CASE is the case's source (.sh, .py or .c); PROGRAM what CMake compiled from a .c, or what the
others find as $PROGRAM. Lines of the source that look like `KEY: value` tell how to run it:

    CASE: sentence     what it proves (required)
    OPTIONS: a,b       mount options beside the usual ones
    MOUNT: none        the case mounts by itself, or not at all
    NEEDS: word ...    skipped with a reason where one is missing: root, loop, or a command's name
    PLAIN: no          has no meaning on a directory that is not ours
    AFTER: none        leave out the comparison of the tree before and after a remount and a crash
    TIMEOUT: seconds   120 unless said (tripled under a sanitizer)

A case gets a fresh store on the disk beneath the build folder and, in its environment:

    MNT STORE WORK     the mountpoint, the store, and a folder of its own
    CACHE              a folder that is kept from run to run
    TENSORFS LOG       the binary, and the daemon's log
    TENSORFSCTL        the tool beside it
    TFS_LIB            helpers for a shell case (lib.sh); Python cases import what lies beside it
    TFS_SANITIZED      1 when the binary carries a sanitizer, whose memory is not ours
    TFS_PLAIN          1 on a plain directory, else 0
    TFS_CONTROL        where the runner listens (see Control)

With TFS_TEST_DIR=DIR a case runs on a directory in DIR instead of a mount: what holds there, on
ext4 or another filesystem of the kernel's, is what POSIX means. TFS_TEST_KEEP=1 keeps the folder.
Exit status: 0 passed, 1 failed, 77 skipped.
"""

import argparse
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # the source tree stays as it is

import fingerprint
from mount_session import Session, SessionError, mounts_below, unmount

HERE = os.path.dirname(os.path.abspath(__file__))
USUAL_OPTIONS = "allow_other,default_permissions,suid,dev"
PASSED, FAILED, SKIPPED = 0, 1, 77
LINGER_SECONDS = float(os.environ.get("TFS_TEST_LINGER", "30"))  # until a process counts as left
DIRECTIVES = ("CASE", "OPTIONS", "MOUNT", "NEEDS", "PLAIN", "AFTER", "TIMEOUT")
PR_SET_CHILD_SUBREAPER = 36


class CaseFailed(Exception):
    """What went wrong, in one line."""


class CaseSkipped(Exception):
    """Why the case cannot be run here."""


def read_directives(path):
    found = {}
    pattern = re.compile(r"^[#/*\s]*(%s): (.+?)\s*(\*/)?$" % "|".join(DIRECTIVES))
    with open(path, encoding="utf-8") as source:
        for line in source:
            match = pattern.match(line)
            if match:
                found.setdefault(match.group(1), match.group(2))
    if "CASE" not in found:
        raise CaseFailed(f"{path} has no line 'CASE: sentence'")
    return found


class Control(threading.Thread):
    """Does what the case asks for, one line a connection, and answers 'ok ...' or 'error ...'.

    mount [OPTIONS], unmount, remount [OPTIONS], kill9, crash [OPTIONS] (kill9, then mount),
    die-mounting SECONDS (mount, and kill9 so long after the start), pid, drop-caches (the kernel's
    entries and inodes). On a plain directory all of it does nothing.
    """

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session = session
        self.name_on_wire = f"tensorfs-case-{os.getpid()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind("\0" + self.name_on_wire)
        self.socket.listen(4)

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                try:
                    words = peer.makefile().readline().split()
                    answer = f"ok {self.serve(words[0], *words[1:])}\n"
                except (SessionError, OSError, IndexError, TypeError, KeyError) as error:
                    answer = f"error {error}\n"
                peer.sendall(answer.encode())

    def serve(self, verb, *arguments):
        if verb == "drop-caches":
            drop_caches()
            return ""
        if self.session is None:
            return "0"
        if verb == "pid":
            return self.session.process.pid
        if verb == "die-mounting":
            self.session.die_mounting(float(arguments[0]))
            return ""
        if arguments:
            arguments = [f"{USUAL_OPTIONS},{arguments[0]}"]
        {"mount": self.session.start, "unmount": self.session.stop, "kill9": self.session.kill,
         "remount": self.session.remount, "crash": self.session.crash}[verb](*arguments)
        return ""


def ask(command):
    """The case's side of Control."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.connect("\0" + os.environ["TFS_CONTROL"])
        wire.sendall(command.encode() + b"\n")
        answer = wire.makefile().read().strip()
    if not answer.startswith("ok"):
        print(f"control '{command}': {answer}", file=sys.stderr)
        return FAILED
    print(answer[3:], end="\n" if answer[3:] else "")
    return PASSED


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as knob:
        knob.write("2")


def loop_devices_work():
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control")


def check_needs(directives):
    for need in directives.get("NEEDS", "").split():
        if need == "root":
            met = os.geteuid() == 0
        elif need == "loop":
            met = loop_devices_work()
        else:
            met = shutil.which(need) is not None
        if not met:
            raise CaseSkipped(f"needs {need}")


def children():
    """Processes whose parent we are, adopted orphans included."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as line:
                parent = int(line.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == os.getpid():
            found.append(int(name))
    return found


class Case:
    def __init__(self, arguments):
        self.source = os.path.abspath(arguments.case)
        self.program = arguments.program
        self.binary = arguments.tensorfs
        self.tool = arguments.tensorfsctl
        self.directives = read_directives(self.source)
        self.name = os.path.splitext(os.path.basename(self.source))[0]
        self.plain = os.environ.get("TFS_TEST_DIR")
        self.cache = os.path.dirname(os.path.abspath(arguments.work))
        self.work = os.path.join(os.path.abspath(arguments.work), self.name)
        self.log = os.path.join(self.work, "daemon.log")
        self.mounted = self.directives.get("MOUNT") != "none"
        self.patience = arguments.patience
        self.seconds = int(self.directives.get("TIMEOUT", "120")) * arguments.patience
        self.session = None
        self.lock = None  # of the folder, held to the end

    def command(self):
        if self.source.endswith(".sh"):
            return ["bash", "-eu", self.source]
        if self.source.endswith(".py"):
            return [sys.executable, self.source]
        if not self.program:
            raise CaseFailed("a C case needs its PROGRAM")
        return [os.path.abspath(self.program)]

    def prepare(self):
        check_needs(self.directives)
        if self.plain:
            if not self.mounted or self.directives.get("PLAIN") == "no":
                raise CaseSkipped("has no meaning on a plain directory")
            self.work = os.path.join(self.plain, f"{self.name}.{os.getpid()}")
            self.log = os.path.join(self.work, "daemon.log")
        elif not self.binary or not os.access(self.binary, os.X_OK):
            raise CaseSkipped("no tensorfs binary was built")
        elif not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise CaseSkipped("no access to /dev/fuse")
        if not self.plain:  # there a folder has the number of its run in its name
            self.take_work()
        self.remove_work()
        for folder in ("mnt", "store"):
            os.makedirs(os.path.join(self.work, folder))
        os.chmod(os.path.join(self.work, "mnt"), 0o755)
        if self.mounted and not self.plain:
            options = ",".join(filter(None, [USUAL_OPTIONS, self.directives.get("OPTIONS")]))
            self.session = Session(self.binary, os.path.join(self.work, "store"),
                                   os.path.join(self.work, "mnt"), options, self.log)
            self.session.start()

    def take_work(self):
        """Two runs in one folder would unmount and wipe each other's: the later one waits."""
        os.makedirs(os.path.dirname(self.work), exist_ok=True)
        lock = open(f"{self.work}.lock", "w", encoding="ascii")
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.lock = lock
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.close()
                    raise CaseFailed(f"another run of it is still using {self.work}") from None
                time.sleep(0.05)

    def environment(self, control):
        beside = os.path.dirname(os.path.dirname(self.source))
        return dict(os.environ, MNT=os.path.join(self.work, "mnt"),
                    STORE=os.path.join(self.work, "store"), WORK=self.work, LOG=self.log,
                    CACHE=self.cache, TENSORFS=self.binary or "",
                    TENSORFSCTL=self.tool or "",
                    PROGRAM=os.path.abspath(self.program or ""),
                    TFS_LIB=os.path.join(HERE, "lib.sh"), TFS_PLAIN="1" if self.plain else "0",
                    TFS_SANITIZED="1" if self.patience > 1 else "0",
                    TFS_CONTROL=control.name_on_wire, TFS_PYTHON=sys.executable,
                    TFS_RUNNER=os.path.abspath(__file__), PYTHONPATH=f"{HERE}:{beside}",
                    PYTHONDONTWRITEBYTECODE="1")

    def run(self):
        control = Control(self.session)
        control.start()
        child = subprocess.Popen(self.command(), cwd="/", env=self.environment(control),
                                 stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            status = child.wait(self.seconds)
        except subprocess.TimeoutExpired:
            raise CaseFailed(f"not finished after {self.seconds} s") from None
        finally:
            kill_group(child)
        if status == SKIPPED:
            raise CaseSkipped("the case says so above")
        if status != 0:
            raise CaseFailed(f"the case ended with status {status}")

    def compare_after(self):
        """All that the case left behind must be the same after a crash and after a remount."""
        if not self.session or not self.session.process or self.directives.get("AFTER") == "none":
            return
        before = fingerprint.fingerprint(self.session.mountpoint)
        fingerprint.sync_tree(self.session.mountpoint)
        for event in (self.session.crash, self.session.remount):
            event()
            changed = fingerprint.differences(before,
                                              fingerprint.fingerprint(self.session.mountpoint))
            if changed:
                raise CaseFailed(f"after a {event.__name__}:\n  " + "\n  ".join(changed))

    def finish(self):
        """The clean end that every case owes: an unmount, an exit with 0, nothing left."""
        if self.session and self.session.process:
            self.session.stop()
        left = mounts_below(self.work, "fuse")
        self.unmount_all("fuse")  # a disk that a store lies on must outlast the daemon
        deadline = time.monotonic() + LINGER_SECONDS
        while children() and time.monotonic() < deadline:
            reap()
            time.sleep(0.01)
        if children():
            raise CaseFailed(f"processes {children()} were left running")
        self.unmount_all()
        if left and not self.plain:
            raise CaseFailed(f"{left[0]} was left mounted")
        if self.session and self.session.sanitizer_report():
            raise CaseFailed("a sanitizer or an assert had something to say")

    def unmount_all(self, kind=""):
        for point in mounts_below(self.work, kind):
            try:
                unmount(point, lazy=True)
            except SessionError as error:
                print(error, file=sys.stderr)

    def clean_up(self):
        """Whatever happened, leave no mount, no process and no data."""
        if not self.plain and not self.lock:
            return
        if self.session and self.session.process:
            try:
                self.session.kill()
            except SessionError as error:
                print(error, file=sys.stderr)
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        self.unmount_all()
        deadline = time.monotonic() + 10
        while children() and time.monotonic() < deadline:
            reap()
            time.sleep(0.01)
        if not os.environ.get("TFS_TEST_KEEP"):
            self.remove_work()
        if self.lock:
            self.lock.close()

    def remove_work(self):
        if mounts_below(self.work):
            raise CaseFailed(f"{self.work} still has a mount in it")
        if os.path.lexists(self.work):
            subprocess.run(["rm", "-rf", "--one-file-system", self.work], check=True)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def kill_group(child):
    """End the case and what it started; helpers in the background die with it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def stop_on_signal(number, _frame):
    raise CaseFailed(f"stopped by {signal.Signals(number).name}")


def run_case(arguments):
    case = Case(arguments)
    print(f"{case.name}: {case.directives['CASE']}", flush=True)
    try:
        case.prepare()
        case.run()
        case.compare_after()
        case.finish()
        return PASSED
    except CaseSkipped as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except (CaseFailed, SessionError, OSError, subprocess.SubprocessError) as error:
        print(f"FAILED: {error}")
        if case.session:
            print(f"--- the daemon's log\n{case.session.log_tail()}---", flush=True)
        return FAILED
    finally:
        case.clean_up()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", metavar="COMMAND")
    parser.add_argument("--tensorfs", default="")
    parser.add_argument("--tensorfsctl", default="")
    parser.add_argument("--work", default="/tmp/tensorfs-cases")
    parser.add_argument("--patience", type=int, default=1, help="factor for timeouts")
    parser.add_argument("case", nargs="?")
    parser.add_argument("program", nargs="?")
    arguments = parser.parse_args()
    if arguments.control:
        return ask(arguments.control)
    if not arguments.case:
        parser.error("which case?")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    os.umask(0o022)
    return run_case(arguments)


if __name__ == "__main__":
    sys.exit(main())
