# CASE: metrics= serves GET /metrics on 127.0.0.1 unless told otherwise, refuses all else, and ends with the mount
# MOUNT: none
import http.client
import os
import re
import socket
import subprocess
import sys
import time

MNT, STORE, WORK = os.environ["MNT"], os.environ["STORE"], os.environ["WORK"]

OTHER_MNT, OTHER_STORE = f"{WORK}/other", f"{WORK}/other-store"


def mount(option):
    """Mounts and returns the address and the port that the kernel knows for it."""
    log = open(f"{WORK}/metrics.log", "w+", encoding="utf-8")
    daemon = subprocess.Popen([os.environ["TENSORFS"], "-f", f"--metrics={option}", STORE, MNT],
                              stdout=log, stderr=log)
    while True:
        with open(f"{WORK}/metrics.log", encoding="utf-8") as said:
            text = said.read()
        if "is mounted on" in text:
            return daemon, int(re.search(r"metrics of .* port (\d+)", text).group(1))
        if daemon.poll() is not None:
            if "not built in" in text:
                assert daemon.returncode == 1 and text.count("\n") == 1, text
                print("needs a build with libmicrohttpd")
                sys.exit(77)
            raise AssertionError(text)
        time.sleep(0.02)


def unmount(daemon):
    subprocess.run(["fusermount3", "-u", MNT], check=True)
    assert daemon.wait(60) == 0


def listeners(port):
    """Addresses that listen at this port, as /proc/net/tcp writes them."""
    found = []
    for table in "/proc/net/tcp", "/proc/net/tcp6":
        if os.path.exists(table):
            with open(table, encoding="ascii") as rows:
                for row in list(rows)[1:]:
                    address, hexadecimal = row.split()[1].rsplit(":", 1)
                    if int(hexadecimal, 16) == port and row.split()[3] == "0A":
                        found.append(address)
    return found


def request(port, method, path, body=None, host="127.0.0.1"):
    connection = http.client.HTTPConnection(host, port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def refused_by_the_command_line(option):
    done = subprocess.run([os.environ["TENSORFS"], f"--metrics={option}", OTHER_STORE, OTHER_MNT],
                          capture_output=True, timeout=60)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1, (option, done)
    assert not os.path.ismount(OTHER_MNT)


os.mkdir(OTHER_MNT)
for spelling in "0", ":0", "127.0.0.1:0":
    daemon, port = mount(spelling)
    assert listeners(port) == ["0100007F"], (spelling, listeners(port))
    with open(f"{MNT}/file", "wb") as file:
        file.write(b"x" * 1000)
    status, kind, text = request(port, "GET", "/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    assert "\ntensorfs_written_bytes_total " in text
    assert request(port, "GET", "/")[0] == 404
    assert request(port, "GET", "/metrics/../../etc/passwd")[0] == 404
    assert request(port, "POST", "/metrics", "a body")[0] == 405
    assert request(port, "DELETE", "/metrics")[0] == 405
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(b"\0\xff nonsense\r\n\r\n")
    assert request(port, "GET", "/metrics")[0] == 200
    if spelling == "0":
        refused_by_the_command_line(f"127.0.0.1:{port}")  # taken
    unmount(daemon)
    assert listeners(port) == []
daemon, port = mount("[::1]:0") if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") else mount("0")
unmount(daemon)
for nonsense in "localhost:80", "65536", "1.2.3:80", "80x", ":", "127.0.0.1", "-1", "[::1", "::1:80":
    refused_by_the_command_line(nonsense)
