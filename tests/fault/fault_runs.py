"""Saves under failing calls: what must hold whatever fails.

Each run mounts, saves something that is acknowledged, lets calls fail by a plan, saves on, and looks:

- what was acknowledged, before or meanwhile, is there bit for bit, at once and after a remount;
- a call that returned without an error told the truth: what fsync acknowledged counts as above;
- errors are the ones that the plan makes, and where it must be noticed, somebody was told;
- a file that was to be replaced by rename is the old one or the new one, whole;
- the daemon lives, ends by itself when it is unmounted, and the store mounts and works again.
"""

import errno
import os
import subprocess

from fault_driver import HALF, MNT, PAGE, keep_for_looking, seeded, session
from mount_session import SessionError, unmount

STOP_SECONDS = 60
ROUNDS_MAX = 12
LARGE, SMALL = 1_300_000, 3_000  # into segments, into the index
VISIBLE, HIDDEN, ANY = "told", "not told", "told or not"


class Plan:
    """What fails, and what the saver has to see of it. What lasts is still so while unmounting."""

    def __init__(self, kind, part="anywhere", error=errno.EIO, first=1, every=0, expect=ANY,
                 told=None, lasting=False):
        self.kind, self.part, self.error, self.first, self.every = kind, part, error, first, every
        self.lasting = lasting
        self.expect = expect
        self.told = told or {error}

    def __str__(self):
        error = "half" if self.error == HALF else errno.errorcode[self.error]
        repeat = f" and every {self.every}." if self.every else ""
        return f"{self.kind} in {self.part}, call {self.first}{repeat}: {error}"


class Files:
    """What was saved. A content is acknowledged, or one of several that may be there."""

    def __init__(self, dice):
        self.dice = dice
        self.number = 0
        self.kept = {}     # name -> content that must be there
        self.replaced = {} # name -> contents of which one must be there

    def content(self, size):
        return self.dice.randbytes(size // 2) + bytes(size - size // 2)

    def new_name(self, kind):
        self.number += 1
        return f"{kind}-{self.number}"

    def forget_old(self, keep=12):
        """Removes all but the newest, so that the store stays small."""
        for name in list(self.kept)[:-keep]:
            os.unlink(f"{MNT}/{name}")
            del self.kept[name]


class Attempt:
    """Calls until one fails; what failed, and how."""

    def __init__(self):
        self.errors = []

    def call(self, function, *arguments):
        try:
            return function(*arguments)
        except OSError as error:
            self.errors.append((function.__name__, error.errno))
            return None

    def good(self):
        return not self.errors


def write_all(file, content):
    while content:
        content = content[os.write(file, content[:400_000]):]


def sync_directory(path):
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_file(attempt, path, content):
    """As careful as a program can be: fsync, and every result looked at. True when all went well."""
    file = attempt.call(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    if file is None:
        return False
    attempt.call(write_all, file, content)
    if attempt.good():
        attempt.call(os.fsync, file)
    attempt.call(os.close, file)
    return attempt.good()


def save_new(files, size):
    """A new file, synced: the file, then its directory."""
    attempt, name, content = Attempt(), files.new_name("new"), files.content(size)
    if write_file(attempt, f"{MNT}/{name}", content):
        files.kept[name] = content
    return attempt


def save_by_rename(files, name, size):
    """The torch way: a temporary file, synced, takes the place of the old one."""
    attempt, content = Attempt(), files.content(size)
    files.replaced.setdefault(name, [None]).append(content)
    if write_file(attempt, f"{MNT}/{name}.tmp", content):
        attempt.call(os.rename, f"{MNT}/{name}.tmp", f"{MNT}/{name}")
        if attempt.good():
            attempt.call(sync_directory, MNT)
    if attempt.good():
        files.replaced[name] = [content]
    return attempt


def change_names(files):
    """Directories, links and removals; nothing of it is promised before the sync."""
    attempt, name = Attempt(), files.new_name("directory")
    for function, arguments in ((os.mkdir, (f"{MNT}/{name}",)),
                                (os.symlink, ("target", f"{MNT}/{name}/link")),
                                (os.unlink, (f"{MNT}/{name}/link",)), (os.rmdir, (f"{MNT}/{name}",))):
        if attempt.good():
            attempt.call(function, *arguments)
    return attempt


def save_everything(files):
    """One attempt of each kind; the errors of all."""
    errors = []
    for attempt in (save_new(files, LARGE), save_new(files, SMALL),
                    save_by_rename(files, "checkpoint", LARGE),
                    save_by_rename(files, "config", SMALL), change_names(files)):
        errors += attempt.errors
    return errors


def read_file(name):
    try:
        with open(f"{MNT}/{name}", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def check(files, when):
    """All that must be there is there."""
    for name, content in files.kept.items():
        found = read_file(name)
        assert found is not None, f"{name} is missing {when}"
        assert found == content, f"{name} is wrong {when}"
    for name, contents in files.replaced.items():
        found = read_file(name)
        assert any(found == content for content in contents), f"{name} is neither old nor new {when}"
        files.replaced[name] = [found]


def end(daemon):
    """Unmount; the daemon ends by itself, with 0 or, when something was lost, with 1."""
    try:
        unmount(MNT)
    except SessionError:
        if daemon.process.poll() is None:
            raise
    try:
        status = daemon.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError("the daemon hangs after umount") from None
    daemon.process = None
    assert status in (0, 1), f"the daemon ended with {status}"
    return status


def judge(plan, errors, failed):
    """What the saver was told against what was done."""
    codes = {code for _, code in errors}
    assert failed > 0, "nothing failed: the plan proves nothing"
    if plan.expect == VISIBLE:
        assert errors, "calls failed, and nobody was told"
    if plan.expect == HIDDEN:
        assert not errors, f"nothing was lost, and still: {errors}"
    assert codes <= plan.told, f"told {errors}, the plan makes {plan.told}"


def save_until_failed(files):
    """Saves until a call has failed, and once more; late calls need many saves."""
    errors = []
    for _ in range(ROUNDS_MAX):
        failed = PAGE.failed > 0
        errors += save_everything(files)
        if failed:
            break
    return errors


def run_plan(plan, files):
    daemon = session()
    daemon.start()
    try:
        check(files, "after the remount")
        files.forget_old()
        assert not save_everything(files), "a store without faults does not work"
        PAGE.arm(plan.kind, plan.part, plan.error, plan.first, plan.every)
        errors = save_until_failed(files)
        failed = PAGE.failed
        if not plan.lasting:
            PAGE.disarm()
        assert daemon.process.poll() is None, f"the daemon died: {daemon.process.poll()}"
        judge(plan, errors, failed)
        check(files, "while still mounted")
    except BaseException:
        PAGE.disarm()
        daemon.kill()
        raise
    status = end(daemon)
    PAGE.disarm()
    print(f"{plan}: {failed} failed; {sorted(set(errors))}; ended with {status}", flush=True)


def heal(files):
    """A mount without the layer, at the end: all is there, and all works."""
    daemon = session(layer=False)
    daemon.start()
    try:
        check(files, "at the end")
        assert not save_everything(files), "the healed store does not work"
    finally:
        status = end(daemon)
    assert status == 0, "the healed store could not be closed"


def run_all(plans):
    """All failures are told before the case ends."""
    seed, dice = seeded()
    files, bad = Files(dice), 0
    for plan in plans:
        try:
            run_plan(plan, files)
        except (AssertionError, OSError, SessionError) as error:
            print(f"FAILED: {plan}: {error}", flush=True)
            keep_for_looking(seed)
            bad += 1
            # What this one lost must not be held against the next.
            files.kept.clear()
            files.replaced.clear()
    heal(files)
    assert bad == 0, f"{bad} of {len(plans)} plans went wrong"
