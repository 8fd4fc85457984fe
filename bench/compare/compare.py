#!/usr/bin/python3
"""Measures tensorfs beside the native directory and beside what FUSE allows, in one run, in turns.

    bench/compare/compare.py --tmpfs --dir /data --disk 500M --json out.json

Places: null (FUSE that discards and serves one buffer), memory (FUSE over a store in memory, for names), native
(a directory), and tensorfs with none, zstd:1 and auto. In every round each group of tests runs on each place,
from a fresh directory or store, the places in another order each time. docs/BENCHMARKING.md says what each
number means. Everything happens in a directory of its own, which is removed, also after Ctrl-C or SIGTERM.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import disk
import places
import report

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIB = 1 << 20
SHARDS = 4
PIECE = 16 * MIB
SMALL_PIECE = 64 << 10
CODECS = ("none", "zstd:1", "auto")
PLACES = ("null", "memory", "native") + CODECS
KINDS = ("bf16", "fp32", "mixed", "random")
GROUPS = ("data", "names", "storm")
NAME_TESTS = ("create", "stat", "rename", "readdir", "unlink", "mkdir", "rmdir", "symlink", "readlink", "small")
TEST_PROGRAMS = ("bench/compare/bench_io", "bench/compare/bench_names", "bench/compare/bench_storm",
                 "bench/saveload/bench_saveload", "bench/nullfs/nullfs", "bench/nullfs/memfs", "fs/tensorfs")


class ClientError(Exception):
    """A program of ours failed: the filesystem did, or gave back other bytes."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse_size(text):
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    size = found and int(found.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30}[found.group(2)]
    if not size or size % (SHARDS * MIB) != 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a multiple of {SHARDS}M")
    return size


def parse_rate(text):
    try:
        return disk.parse_rate(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def parse_list(known):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(known)}")
        return chosen
    return parse


def parse_count(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a count")
    return int(text)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--dir", action="append", default=[], help="a disk: stores and the native directory in here")
    parser.add_argument("--tmpfs", action="store_true", help="in /dev/shm: the CPU is the limit")
    parser.add_argument("--disk", type=parse_rate, metavar="RATE",
                        help="on a disk of this speed, 500M is 500 MB/s (root; a throttled loop device in memory)")
    parser.add_argument("--size", type=parse_size, help="bytes of the model (1G)")
    parser.add_argument("--runs", type=parse_count, help="rounds (5)")
    parser.add_argument("--names", type=parse_count, help="names for each operation on names (10000)")
    parser.add_argument("--threads", type=parse_count, help="threads of the fault storm (256)")
    parser.add_argument("--kinds", type=parse_list(KINDS), metavar="LIST",
                        help=f"of {','.join(KINDS)} (all); the first gets every test, the others save and cold load")
    parser.add_argument("--places", type=parse_list(PLACES), default=list(PLACES), metavar="LIST",
                        help=f"of {','.join(PLACES)} (all)")
    parser.add_argument("--groups", type=parse_list(GROUPS), default=list(GROUPS), metavar="LIST",
                        help=f"of {','.join(GROUPS)} (all)")
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="NAME=VALUE",
                        help="one more mount option of tensorfs")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="the build tree (build/release)")
    parser.add_argument("--json", metavar="FILE", help="write the results here too")
    parser.add_argument("--quick", action="store_true",
                        help="sizes that show that it works and nothing about speed")
    settings = parser.parse_args(arguments)
    defaults = {"size": 16 * MIB if settings.quick else 1 << 30, "runs": 1 if settings.quick else 5,
                "names": 100 if settings.quick else 10000, "threads": 16 if settings.quick else 256,
                "kinds": ["mixed"] if settings.quick else list(KINDS)}
    for name, value in defaults.items():
        if getattr(settings, name) is None:
            setattr(settings, name, value)
    if not (settings.dir or settings.tmpfs or settings.disk):
        parser.error("say where: --dir DIR, --tmpfs, --disk RATE")
    return settings


class Bench:
    """One round's tests on one place after the other; see run_groups()."""

    def __init__(self, settings, sources, results):
        self.settings = settings
        self.sources = sources  # kind: directory with its shards
        self.results = results
        self.round = 0

    def client(self, place, program, *arguments):
        """Runs a test program, returns what it printed and the daemon's peak."""
        command = [os.path.join(self.settings.build, "bench/compare", program)]
        if place.pid:
            command += ["-p", str(place.pid)]
        command += [str(argument) for argument in arguments]
        place.forget_peak()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClientError(f"{place.name}: {' '.join(command)}: {done.stderr.strip() or done.returncode}")
        sample = json.loads(done.stdout) if done.stdout else {}
        sample["peak_rss_bytes"] = place.peak_bytes()
        return sample

    def keep(self, test, unit, place, sample):
        self.results.add(test, unit, place.name, self.round, sample)

    def io(self, place, test, kind, threads, piece, *options):
        places.touch_memory(2 * self.settings.size)
        if not place.keeps_data:
            options += ("-x",)
        return self.client(place, "bench_io", "-t", threads, "-s", piece, *options, test, self.sources[kind],
                           self.model_of(place))

    @staticmethod
    def model_of(place):
        return os.path.join(place.directory, "model") if place.has_names else place.directory

    def remove_model(self, place):
        for number in range(SHARDS):
            os.unlink(os.path.join(self.model_of(place), f"shard-{number:03}.bin"))

    def save(self, place, kind, threads, piece):
        sample = self.io(place, "save", kind, threads, piece)
        self.keep(f"save {kind} {piece >> 10} KiB x{threads}", "GB/s", place, sample)
        return sample

    def run_data(self, place, kind, is_full):
        if place.has_names:
            os.mkdir(self.model_of(place))
        sample = self.save(place, kind, 1, PIECE)
        sample_kept = self.results.samples[(f"save {kind} {PIECE >> 10} KiB x1", place.name)][-1]
        sample_kept["stored_bytes"] = place.stored_bytes()
        sample_kept["logical_bytes"] = sample["bytes"]
        for readers in (1, 4) if is_full else (1,):
            for way in ("read", "mmap"):
                place.make_cold()
                self.keep(f"cold {way} {kind} x{readers}", "GB/s", place, self.io(place, way, kind, readers, PIECE))
                if is_full and readers == 1:
                    self.keep(f"warm {way} {kind} x1", "GB/s", place, self.io(place, way, kind, 1, PIECE))
        if is_full:
            self.run_random(place, kind)
        self.remove_model(place)
        place.make_cold()  # what the daemon's memory has grown to is not the next test's
        more = [(PIECE, 2), (PIECE, 4), (SMALL_PIECE, 1), (SMALL_PIECE, 2), (SMALL_PIECE, 4)]
        for piece, writers in more if is_full else [(PIECE, 4)]:
            self.save(place, kind, writers, piece)
            self.remove_model(place)

    def run_random(self, place, kind):
        count = min(2000, self.settings.size // SMALL_PIECE // 4)
        for piece in (4096, SMALL_PIECE):
            place.make_cold()
            self.keep(f"random read {kind} {piece >> 10} KiB", "op/s", place,
                      self.io(place, "random", kind, 1, piece, "-n", count))
        place.make_cold()
        self.keep(f"overwrite {kind} {SMALL_PIECE >> 10} KiB", "GB/s", place,
                  self.io(place, "overwrite", kind, 1, SMALL_PIECE, "-n", count))
        self.keep("append 256 B, synced once", "op/s", place,
                  self.io(place, "append", kind, 1, 256, "-n", self.settings.names))
        self.keep("append 256 B, each synced", "op/s", place,
                  self.io(place, "append", kind, 1, 256, "-n", max(1, self.settings.names // 20), "-y", 1))

    def run_names(self, place):
        if not place.has_names:
            return
        self.client(place, "bench_names", "prepare", place.directory, 1)
        for test in NAME_TESTS:
            places.touch_memory(self.settings.size)
            self.keep(f"{test} {self.settings.names}", "op/s", place,
                      self.client(place, "bench_names", test, place.directory, self.settings.names))

    def run_storm(self, place):
        if not place.has_names:
            return
        kind = self.settings.kinds[0]
        names = os.path.join(place.directory, "names")
        os.mkdir(names)
        os.mkdir(self.model_of(place))
        self.client(place, "bench_storm", "prepare", names)
        self.io(place, "save", kind, 1, PIECE)
        for label, threads in (("calm", 0), (f"storm x{self.settings.threads}", self.settings.threads)):
            place.make_cold()
            sample = self.client(place, "bench_storm", "-t", threads, "run", self.model_of(place), names)
            if threads:
                self.keep(f"{label}: touch {kind}", "GB/s", place, sample)
            for call in ("stat", "readdir", "wake"):
                for figure in ("p50", "p99"):
                    latency = {"us": sample[f"{call}_{figure}_us"], "sample_count": sample[f"{call}_count"],
                               "peak_rss_bytes": sample["peak_rss_bytes"]}
                    if latency["sample_count"]:
                        self.keep(f"{label}: {call} {figure}", "us", place, latency)

    def group_runs(self):
        """(title, what to call with a place) in the order of the settings."""
        runs = []
        if "data" in self.settings.groups:
            for number, kind in enumerate(self.settings.kinds):
                runs.append((f"data {kind}", lambda place, kind=kind, full=number == 0: self.run_data(place, kind, full)))
        if "names" in self.settings.groups:
            runs.append(("names", self.run_names))
        if "storm" in self.settings.groups:
            runs.append(("storm", self.run_storm))
        return runs


def make_places(settings, work):
    made = []
    for name in settings.places:
        if name == "null":
            made.append(places.Null(work, settings.build))
        elif name == "memory":
            made.append(places.Memory(work, settings.build))
        elif name == "native":
            made.append(places.Place("native", work))
        else:
            made.append(places.Tensorfs(name, work, settings.build, settings.options))
    return made


def is_wanted(place, title):
    """The null filesystem is for data, the one in memory for the rest."""
    if title.startswith("data"):
        return place.name != "memory"
    return place.has_names


def run_on(place, run, skipped):
    with contextlib.ExitStack() as stack:
        stack.callback(os.sync)  # what this place left behind is not written in the next one's time
        stack.callback(place.stop)
        try:
            place.start()
        except places.PlaceError as err:
            if place.name not in ("null", "memory"):
                raise
            skipped[place.name] = str(err)  # an ordinary user may not allow_other
            return
        run(place)


def run_rounds(settings, where, sources, results, skipped):
    work = tempfile.mkdtemp(prefix="tensorfs-compare.", dir=where)
    bench = Bench(settings, sources, results)
    made = make_places(settings, work)
    try:
        for bench.round in range(settings.runs):
            for title, run in bench.group_runs():
                turn = bench.round % len(made)
                for place in made[turn:] + made[:turn]:
                    if is_wanted(place, title) and place.name not in skipped:
                        say(f"{where}: round {bench.round + 1} of {settings.runs}: {title}: {place.name}")
                        run_on(place, run, skipped)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def make_sources(settings, work):
    """The model's bytes, one directory for each kind, made once; read into memory before any clock runs."""
    sources = {}
    for kind in settings.kinds:
        sources[kind] = os.path.join(work, kind)
        os.mkdir(sources[kind])
        subprocess.run([os.path.join(settings.build, "bench/saveload/bench_saveload"), "save", sources[kind],
                        str(SHARDS), str(settings.size // SHARDS // MIB), kind, "1"],
                       check=True, stdout=subprocess.DEVNULL)
    return sources


def machine():
    """What a reader must know to judge the figures."""
    cpu = ""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"kernel": platform.release(), "cpu": cpu, "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "load_average": os.getloadavg()[0]}


def filesystem_of(directory):
    done = subprocess.run(["findmnt", "-no", "FSTYPE,SOURCE", "-T", directory], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip()


@contextlib.contextmanager
def opened_disk(settings, work):
    # The model, its rewritten pieces, a second copy while the first is being given back, and the journal.
    made = disk.Disk(settings.disk, 4 * settings.size + (512 << 20), work)
    made.open()
    try:
        yield made.directory
    finally:
        made.close()


def measure(settings, label, where, sources):
    """Results on one disk. Those measured before a failure are kept, and the failure is named."""
    results = report.Results()
    found = {"where": label, "filesystem": filesystem_of(where), "skipped": {}, "failed": None}
    try:
        run_rounds(settings, where, sources, results, found["skipped"])
    except (ClientError, places.PlaceError, OSError, subprocess.CalledProcessError) as err:
        found["failed"] = str(err)
    found["results"] = results.entries()
    print(f"\n{label} ({found['filesystem']}), {settings.size // MIB} MiB, {settings.runs} runs, "
          f"cold: {places.cold_means()}\n{report.table(found['results'])}", flush=True)
    for place, reason in found["skipped"].items():
        print(f"skipped: {place}: {reason}")
    if found["failed"]:
        print(f"FAILED: {found['failed']}")
    return found


def measure_all(settings):
    disks = []
    with tempfile.TemporaryDirectory(prefix="tensorfs-compare-source.") as work:
        sources = make_sources(settings, work)
        if settings.tmpfs:
            disks.append(measure(settings, "tmpfs", "/dev/shm", sources))
        for directory in settings.dir:
            disks.append(measure(settings, directory, directory, sources))
        if settings.disk:
            if settings.size < 2 * settings.disk:
                say(f"a model of {settings.size // MIB} MiB is less than two seconds of this disk: the throttle lets "
                    "bursts pass, figures will be too high")
            with opened_disk(settings, work) as directory:
                disks.append(measure(settings, f"disk of {settings.disk / 1e6:.0f} MB/s", directory, sources))
    return disks


def main():
    settings = parse_arguments(sys.argv[1:])
    missing = [name for name in TEST_PROGRAMS if not os.access(os.path.join(settings.build, name), os.X_OK)]
    if missing:
        say(f"compare.py: not built in {settings.build}: {', '.join(missing)}\n"
            "build with: cmake --preset release && cmake --build --preset release")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = machine()
    try:
        disks = measure_all(settings)
    except (disk.DiskError, OSError) as err:
        say(f"compare.py: {err}")
        return 1
    except KeyboardInterrupt:
        return 130
    if settings.json:
        with open(settings.json, "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "machine": start, "cold": places.cold_means(),
                       "settings": {name: value for name, value in vars(settings).items() if name != "json"},
                       "disks": disks}, file, indent=1)
            file.write("\n")
    return 1 if any(found["failed"] for found in disks) else 0


if __name__ == "__main__":
    sys.exit(main())
