# CASE: the control socket refuses other users, survives hostile bytes, and never holds up the mount
# NEEDS: root
# PLAIN: no
import json
import os
import random
import socket

MNT, STORE = os.environ["MNT"], os.environ["STORE"]
SOCKET = "control"  # from within the store: the whole path may be too long for an address


def connect():
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire.settimeout(30)
    wire.connect(SOCKET)
    return wire


def exchange(request):
    """All that is answered to these bytes, up to the end of the connection."""
    with connect() as wire:
        try:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while True:
            try:
                piece = wire.recv(65536)
            except ConnectionResetError:
                return answer
            if not piece:
                return answer
            answer += piece


def ask(request):
    return [json.loads(line) for line in exchange(json.dumps(request).encode() + b"\n").splitlines()]


def error_of(request):
    return json.loads(exchange(request).splitlines()[0])["error"]["name"]


def ask_as_stranger():
    """What another user is answered, or the name of the error. Forks: that user need not be able
    to run this Python."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = exchange(b'{"command":"status"}\n')
        except OSError as error:
            said = type(error).__name__.encode()
        os.write(writing, said)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def strangers_are_refused_by_the_mode_and_again_by_who_they_are():
    assert ask_as_stranger() == b"PermissionError"
    modes = {path: os.stat(path).st_mode & 0o7777 for path in (STORE, SOCKET)}
    try:
        os.chmod(STORE, 0o711)
        os.chmod(SOCKET, 0o666)
        said = ask_as_stranger()
    finally:
        for path, mode in modes.items():
            os.chmod(path, mode)
    assert json.loads(said)["error"]["name"] == "EACCES", said


def what_is_no_request_is_refused():
    for request, name in (
            (b"nonsense\n", "EBADMSG"),
            (b"[1, 2]\n", "EBADMSG"),
            (b'{"command": "status"} trailing\n', "EBADMSG"),
            (b'{"command": "sta\0tus"}\n', "EBADMSG"),
            (b"[" * 9 + b"]" * 9 + b"\n", "ELOOP"),
            (b'{"nothing": 1}\n', "EINVAL"),
            (b'{"command": 5}\n', "EINVAL"),
            (b'{"command": "../../etc"}\n', "EINVAL"),
            (b'{"command": "' + b"a" * 33 + b'"}\n', "EINVAL"),
            (b'{"command": "no-such"}\n', "EOPNOTSUPP"),
            (b'{"command": "du", "inode": -1}\n', "EINVAL"),
            (b'{"command": "du", "inode": 1e300}\n', "EINVAL"),
            (b'{"command": "du", "inode": 1, "path": "/"}\n', "EINVAL"),
            (b'{"command": "du", "inode": 123456789}\n', "ESTALE"),
            (b'{"command": "du", "path": "' + b"x" * 5000 + b'"}\n', "EINVAL"),
            (b'{"command": "info", "path": "/", "frames": "yes"}\n', "EINVAL"),
            (b'{"command": "loglevel", "level": "' + b"e" * 60000 + b'"}\n', "EINVAL"),
            (b" " * 70000 + b"\n", "EMSGSIZE")):
        assert error_of(request) == name, (request[:60], exchange(request))


def any_bytes_are_survived():
    seed = int(os.environ.get("TFS_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}: give it back with TFS_SEED={seed}")
    dice = random.Random(seed)
    good = b'{"command":"info","path":"/file","frames":true}\n{"command":"status"}\n'
    for _ in range(200):
        request = bytearray(good)
        for _ in range(dice.randrange(1, 6)):
            request[dice.randrange(len(request))] = dice.randrange(256)
        exchange(bytes(request[:dice.randrange(len(request) + 1)]))
    exchange(dice.randbytes(200_000))


def who_holds_connections_holds_up_nobody():
    held = [connect() for _ in range(8)]
    for wire in held[:4]:
        wire.sendall(b'{"command":')
    assert ask({"command": "status"})[0]["error"]["name"] == "EBUSY"
    with open(f"{MNT}/meanwhile", "wb") as file:
        file.write(b"the mount goes on")
        os.fsync(file.fileno())
    for wire in held:
        wire.close()
    for _ in range(1000):
        if "result" in ask({"command": "status"})[-1]:
            return
    raise AssertionError("the places were not given back")


def one_connection_asks_more_than_once():
    lines = exchange(b'\n{"command":"status"}\n\n{"command":"no-such"}\n{"command":"sync"}\n').splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == ["result", "error", "result"], lines


os.chdir(STORE)
with open(f"{MNT}/file", "wb") as first:
    first.write(os.urandom(300_000))
strangers_are_refused_by_the_mode_and_again_by_who_they_are()
what_is_no_request_is_refused()
any_bytes_are_survived()
who_holds_connections_holds_up_nobody()
one_connection_asks_more_than_once()
