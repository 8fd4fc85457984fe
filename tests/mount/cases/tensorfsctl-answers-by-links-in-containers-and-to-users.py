# CASE: tensorfsctl follows links, answers where only the mount can be seen, and tells users of their own files
# PLAIN: no
# NEEDS: root unshare setpriv
import json
import os
import subprocess

MNT, STORE, WORK, TOOL = (os.environ[name] for name in ("MNT", "STORE", "WORK", "TENSORFSCTL"))
USER = ["setpriv", "--reuid", "daemon", "--regid", "daemon", "--clear-groups", "--"]


def tool(*arguments, status=0, through=(), cwd=None):
    done = subprocess.run([*through, TOOL, *arguments], capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == status, (arguments, done.returncode, done.stderr)
    return done.stdout if status == 0 else done.stderr


def ask(*arguments, **how):
    return json.loads(tool("--json", *arguments, **how))


os.chmod(WORK, 0o755)
with open(f"{MNT}/file", "wb") as file:
    file.write(os.urandom(100_000))
os.mkdir(f"{MNT}/folder")
os.symlink("../file", f"{MNT}/folder/to-file")
os.symlink("nowhere", f"{MNT}/folder/dangling")
os.symlink(f"{WORK}", f"{MNT}/folder/away")
os.symlink(MNT, f"{WORK}/to-mount")
os.symlink(f"{MNT}/folder/to-file", f"{WORK}/to-link")
os.symlink("/proc/version", f"{MNT}/folder/to-proc")

# Links, named from anywhere: what they lead to counts.
mountpoint = ask("status", MNT)["mountpoint"]
for target, where in ((f"{WORK}/to-mount", "/"), ("to-mount", WORK), (f"{WORK}/to-link", "/"),
                      (f"{MNT}/folder/to-file", "/"), (f"{MNT}/folder/dangling", "/")):
    assert ask("status", target, cwd=where)["mountpoint"] == mountpoint, target
info = ask("info", f"{MNT}/file")
assert info["logical_bytes"] == 100_000 and info["inode"] == os.stat(f"{MNT}/file").st_ino
for link in f"{WORK}/to-link", f"{MNT}/folder/to-file":
    assert ask("info", link) == info, link
assert ask("info", "--frames", f"{WORK}/to-link")["inode"] == info["inode"]
assert ask("du", f"{WORK}/to-link")["logical_bytes"] == 100_000
assert ask("du", f"{MNT}/folder/dangling")["others"] == 1
assert "neither a store nor on a mount" in tool("status", f"{MNT}/folder/to-proc", status=1)
assert "neither a store nor on a mount" in tool("status", f"{MNT}/folder/away", status=1)
assert "No such file" in tool("status", f"{WORK}/nothing", status=1)

# The store out of sight, as in a container; the socket's second address has no path.
hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
          f'mount -t tmpfs none "{STORE}" && exec "$@"', "sh"]
assert ask("status", MNT, through=hidden)["mountpoint"] == mountpoint
assert ask("du", f"{MNT}/file", through=hidden)["logical_bytes"] == 100_000
assert ask("info", "--frames", f"{MNT}/file", through=hidden)["places"]
with open("/proc/net/unix", encoding="utf-8") as lines:
    addresses = [line.split()[-1] for line in lines if "@tensorfs/" in line]
second = os.getxattr(MNT, "user.tensorfs.control.abstract").decode()
assert second in addresses, (second, addresses)

# Others are told of files that they may read, and of nothing else, whichever address they try.
os.mkdir(f"{MNT}/theirs")
os.chown(f"{MNT}/theirs", 1, 1)
subprocess.run([*USER, "sh", "-c", f"head -c 50000 /dev/urandom >'{MNT}/theirs/own'"], check=True)
os.chmod(f"{MNT}/file", 0o600)
assert ask("info", f"{MNT}/theirs/own", through=USER)["logical_bytes"] == 50_000
assert "Permission denied" in tool("info", f"{MNT}/file", status=1, through=USER)
for refused in (("status", MNT), ("du", MNT), ("info", "--frames", f"{MNT}/theirs/own")):
    assert "answers to its owner and root only" in tool(*refused, status=1, through=USER), refused
asks = f"""import socket
wire = socket.socket(socket.AF_UNIX)
wire.connect({chr(0) + second[1:]!r})
print(wire.makefile().read())
"""
said = subprocess.run([*USER, os.environ["TFS_PYTHON"], "-c", asks], capture_output=True, text=True).stdout
assert '"EACCES"' in said and "result" not in said, said
