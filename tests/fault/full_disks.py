"""Saves onto disks of every size, so that the disk is full at every step of a save."""

import contextlib
import errno
import os

from fault_driver import MNT, WORK, run, session, wait_until
from fault_runs import LARGE, SMALL, Files, change_names, check, end, save_by_rename, save_new
from mount_session import SessionError

DISK = WORK + "/disk"
STORE = DISK + "/store"
SAVES_MAX = 60
SMALL_EACH = 40  # small files of a round: they fill the index


@contextlib.contextmanager
def disk(size):
    """A tmpfs of `size` KiB; its own pages count, so any size is a step further in a save."""
    os.makedirs(DISK, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size}k", "none", DISK)
    try:
        yield
    finally:
        run("umount", DISK)


def mounted():
    """A daemon on the disk, or None when it says that there is no room for it."""
    daemon = session(layer=False, store=STORE)
    try:
        daemon.start()
    except SessionError as error:
        assert "exited with 1 " in str(error), str(error)
        return None
    return daemon


def save_until_full(files):
    """The errors of the first round that has any."""
    for _ in range(SAVES_MAX):
        attempts = [save_new(files, LARGE), save_by_rename(files, "checkpoint", LARGE),
                    change_names(files)]
        attempts += [save_new(files, SMALL) for _ in range(SMALL_EACH)]
        errors = [error for attempt in attempts for error in attempt.errors]
        if errors:
            return errors
    raise AssertionError("the disk never got full")


def make_room(files):
    """Removes half of what is there; the space must come back while still mounted."""
    names = list(files.kept)
    for name in names[::2]:
        os.unlink(f"{MNT}/{name}")
        del files.kept[name]
    wait_until(lambda: save_new(files, SMALL).good(), "room after removing files")


def fill(size, dice):
    """One disk; a word on what became of it."""
    files = Files(dice)
    with disk(size):
        daemon = mounted()
        if daemon is None:
            return "too small to mount"
        try:
            errors = save_until_full(files)
            codes = {code for _, code in errors}
            assert codes == {errno.ENOSPC}, f"a full disk is {errors[:5]}"
            check(files, "on the full disk")
            make_room(files)
            check(files, "after files were removed")
        except BaseException:
            daemon.kill()
            raise
        end(daemon)
        daemon = mounted()
        assert daemon, "a store that was mounted on this disk does not mount again"
        check(files, "after the remount")
        assert end(daemon) == 0, "it could not be closed"
        return f"{len(errors)} ENOSPC from {sorted({call for call, _ in errors})}"


def fill_all(sizes, dice):
    bad = filled = 0
    for size in sizes:
        try:
            result = fill(size, dice)
            filled += "ENOSPC" in result
        except (AssertionError, OSError, SessionError) as error:
            bad += 1
            result = f"FAILED: {error}"
        print(f"{size} KiB: {result}", flush=True)
    assert bad == 0, f"{bad} of {len(sizes)} disks went wrong"
    assert filled > len(sizes) // 2, "most disks were too small: nothing is proven"
