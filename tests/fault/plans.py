"""Plans of failing calls for fault_runs.py."""

import errno

from fault_driver import HALF
from fault_runs import ANY, HIDDEN, VISIBLE, Plan

EIO, ENOSPC, EINTR, EROFS, EMFILE, ENOMEM = (errno.EIO, errno.ENOSPC, errno.EINTR, errno.EROFS,
                                             errno.EMFILE, errno.ENOMEM)


def short():
    """One of each kind that must be told, and of each that must not."""
    return [
        Plan("write", "segments", EIO, 1, 1, VISIBLE),
        Plan("write", "segments", ENOSPC, 1, 1, VISIBLE),
        Plan("write", "segments", HALF, 1, 1, HIDDEN),
        Plan("write", "segments", EINTR, 1, 3, HIDDEN),
        Plan("sync", "segments", EIO, 1, 0, VISIBLE),
        Plan("size", "segments", ENOSPC, 1, 0, ANY),
        Plan("write", "index", EIO, 1, 0, VISIBLE),
        Plan("write", "index", HALF, 1, 1, HIDDEN),
        Plan("write", "index", EINTR, 1, 2, HIDDEN),
        Plan("sync", "index", EIO, 1, 0, VISIBLE),
        # The directory beneath turns read-only, and stays so.
        Plan("change", "anywhere", EROFS, 1, 1, VISIBLE, told={EROFS, EIO}, lasting=True),
        Plan("sync", "anywhere", EIO, 1, 1, VISIBLE, lasting=True),
        Plan("memory", error=ENOMEM, first=20, every=40, expect=VISIBLE),
    ]


def every_kth():
    """Each kind at each place, the k-th call and every k-th one, for many k."""
    plans = []
    for k in (1, 2, 3, 5, 8, 13):
        for every in (0, 1, k):
            for part in ("segments", "index"):
                for error in (EIO, ENOSPC, EROFS):
                    plans.append(Plan("write", part, error, k, every, told={error, EIO}))
                plans.append(Plan("write", part, EINTR, k, every and every + 1, HIDDEN))
                plans.append(Plan("write", part, HALF, k, every, HIDDEN))
                plans.append(Plan("sync", part, EIO, k, every, told={EIO}, lasting=every > 0))
            plans.append(Plan("size", "segments", ENOSPC, k, every, told={ENOSPC}))
    for k in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377):
        plans.append(Plan("memory", error=ENOMEM, first=k, told={ENOMEM, EIO}))
        plans.append(Plan("memory", error=ENOMEM, first=k, every=k, told={ENOMEM, EIO}))
    return plans
