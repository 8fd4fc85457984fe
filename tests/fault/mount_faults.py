"""Mounting while calls fail: it is refused with a line, or it works; and the next mount works."""

import errno

from fault_driver import PAGE, session
from fault_runs import STOP_SECONDS, Files, check, end, save_everything
from mount_session import SessionError

REFUSED = 1


def mount_under(daemon, files):
    """True when it mounted. Whatever else happens, the daemon says so and ends with 1."""
    try:
        daemon.start()
        PAGE.disarm()
        check(files, "after a mount under faults")
        return True
    except SessionError as error:
        assert f"exited with {REFUSED} " in str(error), str(error)
    except OSError as error:
        # The mount was there for a moment: nobody had been told that it is usable.
        assert error.errno in (errno.ENOTCONN, errno.ECONNABORTED), error
        status = daemon.process.wait(STOP_SECONDS)
        daemon.kill()
        assert status == REFUSED, f"exited with {status} instead of mounting"
    assert daemon.log_lines()[-1].startswith("tensorfs: "), "refused without a word"
    return False


def run(kind, part, error, firsts, every, files):
    """How many mounts were refused and how many calls failed, over all `firsts`."""
    refused = failed = 0
    for first in firsts:
        daemon = session()
        PAGE.arm(kind, part, error, first, every)
        try:
            mounted = mount_under(daemon, files)
            refused += not mounted
            failed += PAGE.failed
            PAGE.disarm()
            if mounted:
                end(daemon)
        except (AssertionError, OSError, SessionError) as problem:
            PAGE.disarm()
            if daemon.process:
                daemon.kill()
            raise AssertionError(f"{kind} {first} in {part}: {problem}") from problem
    print(f"{kind} in {part} from {firsts} every {every}: {failed} calls failed, "
          f"{refused} mounts refused", flush=True)
    assert failed > 0, "nothing failed: nothing is proven"
    return refused


def work_between(files):
    """The store must be as good as ever."""
    daemon = session(layer=False)
    daemon.start()
    check(files, "after mounts that failed")
    files.forget_old()
    errors = save_everything(files)
    status = end(daemon)
    assert not errors and status == 0, f"the store does not work: {errors}, {status}"


def run_all(firsts, dice):
    """Every kind of call, from each number of `firsts` on: once, and all from there on."""
    files, bad = Files(dice), 0
    work_between(files)
    for kind, part, error in (("open", "anywhere", errno.EMFILE), ("open", "index", errno.EIO),
                              ("write", "index", errno.EIO), ("write", "index", errno.ENOSPC),
                              ("sync", "anywhere", errno.EIO), ("name", "anywhere", errno.EIO),
                              ("size", "anywhere", errno.ENOSPC), ("memory", "anywhere", errno.ENOMEM),
                              ("thread", "anywhere", errno.EAGAIN)):
        for every in (0, 1):
            try:
                run(kind, part, error, firsts, every, files)
                work_between(files)
            except AssertionError as problem:
                print(f"FAILED: every {every}: {problem}", flush=True)
                bad += 1
    assert bad == 0, f"{bad} kinds of failing mounts went wrong"
