"""What a tree holds, as a dictionary to compare: every attribute that must outlive a remount.

Access times are left out (looking changes them), and so are block counts (they settle when data is
committed) and the sizes of directories.
"""

import hashlib
import os
import stat

BLOCK_BYTES = 1 << 20
VOLATILE_XATTRS = ("user.tensorfs.info",)  # describes how the file is stored, not what it is


def content_hash(path):
    """Digest of a file's bytes in which zeros count for nothing: sparse files stay cheap."""
    digest = hashlib.blake2b(digest_size=16)
    zeros = bytes(BLOCK_BYTES)
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at -= at % BLOCK_BYTES
            block = os.pread(file.fileno(), BLOCK_BYTES, at)
            if not block:
                break
            if block != zeros[:len(block)]:
                digest.update(b"%d:%d:" % (at, len(block)) + block)
            at += BLOCK_BYTES
    return digest.hexdigest()


def xattrs(path):
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False)
            for name in names if name not in VOLATILE_XATTRS}


def describe(path):
    seen = os.lstat(path)
    facts = {"mode": oct(seen.st_mode), "nlink": seen.st_nlink, "owner": (seen.st_uid, seen.st_gid),
             "ino": seen.st_ino, "mtime": seen.st_mtime_ns, "ctime": seen.st_ctime_ns,
             "xattrs": xattrs(path)}
    if not stat.S_ISDIR(seen.st_mode):
        facts["size"] = seen.st_size
    if stat.S_ISLNK(seen.st_mode):
        facts["target"] = os.readlink(path)
    elif stat.S_ISREG(seen.st_mode):
        facts["content"] = content_hash(path)
    elif stat.S_ISCHR(seen.st_mode) or stat.S_ISBLK(seen.st_mode):
        facts["rdev"] = seen.st_rdev
    return facts


def fingerprint(root):
    """Relative path -> facts, the root included."""
    root = os.fsencode(root)
    tree = {b".": describe(root)}
    pending = [root]
    while pending:
        directory = pending.pop()
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            facts = describe(path)
            tree[os.path.relpath(path, root)] = facts
            if facts["mode"].startswith("0o4"):
                pending.append(path)
    return tree


def sync_tree(root):
    """fsync of every file and directory: the kernel hands no syncfs on to a FUSE filesystem."""
    pending = [os.fsencode(root)]
    while pending:
        directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    sync(entry.path)
        sync(directory)


def sync(path):
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def differences(before, after, limit=10):
    """Up to `limit` lines that say what changed."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        name = os.fsdecode(path)
        if path not in after:
            lines.append(f"'{name}' is gone")
        elif path not in before:
            lines.append(f"'{name}' has appeared")
        else:
            for key in before[path].keys() | after[path].keys():
                old, new = before[path].get(key), after[path].get(key)
                if old != new:
                    lines.append(f"'{name}': {key} was {old}, is {new}")
    if len(lines) > limit:
        lines[limit:] = [f"... and {len(lines) - limit} more"]
    return lines
