# CASE: every command of tensorfsctl answers for a live mount, with what is true of it, and as JSON
# PLAIN: no
import io
import json
import os
import re
import subprocess
import tarfile

MNT, STORE, TOOL = os.environ["MNT"], os.environ["STORE"], os.environ["TENSORFSCTL"]
SIZE = 5_000_000


def tool(*arguments, status=0):
    """What the tool prints; it has to end with this status."""
    done = subprocess.run([TOOL, *arguments], capture_output=True, timeout=60)
    assert done.returncode == status, (arguments, done.returncode, done.stderr)
    assert status or not done.stderr, (arguments, done.stderr)
    return done.stdout if status == 0 else done.stderr.decode()


def ask(*arguments):
    return json.loads(tool("--json", *arguments))


def status_tells_where_and_since_when():
    for target in (MNT, STORE, f"{MNT}/secret-name"):
        status = ask("status", target)
        assert status["mounted"] and status["store"] == os.path.realpath(STORE), status
        assert status["mountpoint"] == os.path.realpath(MNT)
        assert status["options"]["compression"] == "auto"
        assert os.path.exists(f"/proc/{status['pid']}")
    assert MNT in tool("status", MNT).decode()


def stats_count_what_was_done():
    before = ask("stats", MNT)
    with open(f"{MNT}/counted", "wb") as file:
        file.write(os.urandom(SIZE))
        os.fsync(file.fileno())
    stats = ask("stats", MNT)
    assert stats["written_bytes"] - before["written_bytes"] == SIZE
    assert stats["requests"]["FSYNC"]["count"] - before["requests"].get("FSYNC", {"count": 0})["count"] == 1
    for name, counted in {**stats["requests"], **stats["times"]}.items():
        assert sum(counted["buckets_us"]) == counted["count"], name
    sync = stats["sync"]
    assert 0 < sync["segments_made"] <= sync["segments_asked"] and 0 < sync["index_made"]
    assert stats["memory"]["used"] <= stats["memory"]["buffers"] <= stats["memory"]["budget"]
    assert "FSYNC" in tool("stats", MNT).decode()
    lines = tool("stats", "--watch", "--count=2", MNT).decode().splitlines()
    assert len(lines) == 3 and len(set(map(len, lines))) == 1, lines
    samples = tool("--json", "stats", "--watch", "--count=2", MNT).decode().splitlines()
    assert json.loads(samples[1])["time_ns"] > json.loads(samples[0])["time_ns"]


def info_shows_every_byte_in_a_frame():
    by_path = ask("info", "--frames", f"{MNT}/secret-name")
    assert by_path == ask("info", "--frames", f"--store={STORE}", "/secret-name")
    assert by_path["logical_bytes"] == SIZE and by_path["stored_bytes"] >= SIZE
    end = 0
    for place in by_path["places"]:
        assert place["offset"] == end, by_path
        end += place["size"]
        segment = f"{STORE}/segments/{place['segment']:016x}.seg"
        assert place["segment_offset"] + place["stored"] <= os.path.getsize(segment)
    assert end == SIZE
    assert "no regular file" in tool("info", f"{MNT}/folder", status=1)
    assert "No such file" in tool("info", f"--store={STORE}", "/absent", status=1)


def info_of_a_hole_has_no_ratio_and_chunks_add_up():
    with open(f"{MNT}/folder/hole", "wb") as file:
        file.truncate(SIZE)
    assert ask("info", f"{MNT}/folder/hole")["ratio"] is None
    assert re.search(r"^ratio +-$", tool("info", f"{MNT}/folder/hole").decode(), re.MULTILINE)
    os.mkdir(f"{MNT}/large")
    os.setxattr(f"{MNT}/large", "user.tensorfs.chunk_size", b"64M")
    with open(f"{MNT}/large/file", "wb") as file:
        file.write(os.urandom(64 << 20))
    info = ask("info", f"{MNT}/large/file")
    assert info["chunks"] * info["stored_chunk_size"] == 64 << 20 == info["chunk_size"], info
    told = tool("info", f"{MNT}/large/file").decode()
    assert "\nrecord size 64.0 MiB\nchunks      16 of up to 4.0 MiB\n" in told, told
    attribute = json.loads(os.getxattr(f"{MNT}/large/file", "user.tensorfs.info"))
    assert {**attribute, "inode": info["inode"]} == info == ask("info", f"--store={STORE}", "large/file")
    os.unlink(f"{MNT}/folder/hole")


def du_adds_up_and_counts_a_linked_file_once():
    os.makedirs(f"{MNT}/folder/deeper", exist_ok=True)
    with open(f"{MNT}/folder/zeros", "wb") as file:
        file.truncate(1 << 30)
    with open(f"{MNT}/folder/deeper/data", "wb") as file:
        file.write(os.urandom(SIZE))
    os.link(f"{MNT}/folder/deeper/data", f"{MNT}/folder/again")
    os.symlink("data", f"{MNT}/folder/deeper/link")
    tool("sync", MNT)
    usage = ask("du", f"{MNT}/folder")
    assert usage["logical_bytes"] == (1 << 30) + SIZE, usage
    assert SIZE <= usage["stored_bytes"] < SIZE + 100_000, usage
    assert (usage["files"], usage["directories"], usage["others"]) == (2, 2, 1), usage
    assert usage == ask("du", f"--store={STORE}", "folder")


def loglevel_is_told_and_changed():
    assert ask("loglevel", MNT)["level"] == "info"
    assert ask("loglevel", MNT, "error")["before"] == "info"
    assert tool("loglevel", STORE) == b"error\n"
    assert "debug" in tool("loglevel", MNT, "loud", status=1)
    tool("loglevel", MNT, "info")


def metrics_are_what_prometheus_reads():
    sample = re.compile(r'tensorfs_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \S+$')
    lines = tool("metrics", MNT).decode().splitlines()
    assert all(line.startswith(("# HELP ", "# TYPE ")) or sample.match(line) for line in lines)
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values["tensorfs_written_bytes_total"]) >= SIZE
    counts = [float(value) for name, value in values.items()
              if name.startswith('tensorfs_request_duration_seconds_bucket{operation="WRITE"')]
    assert counts == sorted(counts) and counts[-1] > 0, counts


def a_bundle_holds_no_names_unless_asked():
    for extra, wanted in ((), False), (("--names",), True):
        packed = tool("debug-bundle", "--out=-", *extra, MNT)
        with tarfile.open(fileobj=io.BytesIO(packed)) as bundle:
            texts = {entry.name: bundle.extractfile(entry).read() for entry in bundle}
        assert {os.path.basename(name) for name in texts} == {
            "versions.txt", "status.json", "layout.json", "stats.json", "log.txt"}
        assert (b"secret-name" in b"".join(texts.values())) == wanted, texts
    assert "File exists" in tool("debug-bundle", "--out=/dev/null", MNT, status=1)


def a_line_that_makes_no_sense_is_a_matter_of_usage():
    for arguments in (), ("nonsense",), ("status",), ("status", MNT, MNT), ("stats", "--nope", MNT):
        tool(*arguments, status=2)
    tool("status", "/proc", status=1)
    for command in "status stats info du sync loglevel metrics debug-bundle".split():
        assert b"Usage: tensorfsctl " + command.encode() in tool(command, "--help")


with open(f"{MNT}/secret-name", "wb") as first:
    first.write(os.urandom(SIZE))
os.mkdir(f"{MNT}/folder")
status_tells_where_and_since_when()
stats_count_what_was_done()
info_shows_every_byte_in_a_frame()
info_of_a_hole_has_no_ratio_and_chunks_add_up()
du_adds_up_and_counts_a_linked_file_once()
loglevel_is_told_and_changed()
metrics_are_what_prometheus_reads()
# A line of the log that names a file: rot it, read it.
place = ask("info", "--frames", f"{MNT}/secret-name")["places"][0]
with open(f"{STORE}/segments/{place['segment']:016x}.seg", "r+b") as rotten:
    rotten.seek(place["segment_offset"] + place["stored"] - 1)
    byte = rotten.read(1)
    rotten.seek(-1, os.SEEK_CUR)
    rotten.write(bytes([byte[0] ^ 1]))
subprocess.run([os.environ["TFS_PYTHON"], os.environ["TFS_RUNNER"], "--control", "remount"], check=True)
with open(f"{MNT}/secret-name", "rb") as damaged:
    try:
        damaged.read()
    except OSError:
        pass
a_bundle_holds_no_names_unless_asked()
a_line_that_makes_no_sense_is_a_matter_of_usage()
os.unlink(f"{MNT}/secret-name")
