#!/usr/bin/python3
"""Proves that compare.py measures what it says: its arithmetic on made-up samples, its programs on plain
directories, and the whole of it small, through real mounts.

usage: test_compare.py BUILD WORK Itself|Mounted
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import compare
import disk
import report

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD, WORK = sys.argv[1], sys.argv[2]
DATA_PLACES = {"null", "native", "none", "zstd:1", "auto"}
NAME_PLACES = {"memory", "native", "none", "zstd:1", "auto"}


def sample(seconds, **more):
    return dict({"seconds": seconds, "bytes": 2 * 10**9, "operations": 1000, "cpu_client_s": 1.0,
                 "cpu_daemon_s": 3.0, "cpu_machine_s": 5.0}, **more)


class Itself(unittest.TestCase):
    """Without a mount."""

    def setUp(self):
        self.work = tempfile.mkdtemp(dir=WORK)
        self.addCleanup(shutil.rmtree, self.work)

    def test_ratios_are_taken_within_a_round(self):
        results = report.Results()
        for number, (native, auto) in enumerate([(1, 0.5), (10, 20), (100, 50)]):
            results.add("save", "GB/s", "native", number, sample(native))
            results.add("save", "GB/s", "auto", number, sample(auto))
        native, auto = results.entries()
        self.assertEqual((auto["place"], auto["of_native"]), ("auto", 2.0))  # by the medians alone: 0.5
        self.assertEqual((auto["median"], auto["min"], auto["max"]), (0.1, 0.04, 4.0))
        self.assertEqual((native["of_native"], native["of_ceiling"]), (1.0, None))
        self.assertEqual((auto["cpu_client"], auto["cpu_daemon"], auto["cpu_machine"]), (0.5, 1.5, 2.5))

    def test_a_round_that_the_other_lacks_has_no_ratio(self):
        results = report.Results()
        results.add("save", "op/s", "auto", 0, sample(1))
        results.add("save", "op/s", "auto", 1, sample(4))
        results.add("save", "op/s", "null", 1, sample(2))
        self.assertEqual(results.entries()[0]["of_ceiling"], 0.5)
        self.assertEqual(results.entries()[0]["cpu_daemon"], 3000)

    def test_rates_are_decimal_and_nothing_else_is_taken(self):
        self.assertEqual(disk.parse_rate("500M"), 500_000_000)
        for text in ("", "0", "500MB", "-1", "1.5G"):
            self.assertRaises(ValueError, disk.parse_rate, text)

    def throttle(self, *files):
        for name in files:
            path = os.path.join(self.work, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii"):
                pass
        return disk.Throttle("7:3", 500_000_000, self.work)

    def content(self, name):
        with open(os.path.join(self.work, name), encoding="ascii") as file:
            return file.read().strip()

    def test_cgroup_version_1_is_limited_and_freed(self):
        names = ["blkio/blkio.throttle.read_bps_device", "blkio/blkio.throttle.write_bps_device"]
        throttle = self.throttle(*names)
        throttle.open()
        self.assertEqual([self.content(name) for name in names], ["7:3 500000000"] * 2)
        throttle.close()
        self.assertEqual([self.content(name) for name in names], ["7:3 0"] * 2)

    def test_cgroup_version_2_takes_us_in_and_lets_us_go(self):
        throttle = self.throttle("cgroup.controllers", "home/cgroup.procs")
        group = f"tensorfs-compare-{os.getpid()}"
        with mock.patch("disk.cgroup_of_self", return_value="home"), mock.patch("disk.os.rmdir") as rmdir:
            throttle.open()
            self.assertEqual(self.content(f"{group}/io.max"), "7:3 rbps=500000000 wbps=500000000")
            self.assertEqual(self.content(f"{group}/cgroup.procs"), str(os.getpid()))
            self.assertEqual(self.content("home/cgroup.procs"), "")
            throttle.close()
            self.assertEqual(self.content("home/cgroup.procs"), str(os.getpid()))
            rmdir.assert_called_once_with(os.path.join(self.work, group))

    def io(self, *arguments):
        command = [os.path.join(BUILD, "bench/compare/bench_io"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def make_model(self):
        source, model = os.path.join(self.work, "source"), os.path.join(self.work, "model")
        os.mkdir(source)
        os.mkdir(model)
        for number in range(2):
            with open(f"{source}/shard-{number:03}.bin", "wb") as file:
                file.write(os.urandom(300_000 + number))
        return source, model

    def test_every_test_of_data_holds_on_a_plain_directory(self):
        source, model = self.make_model()
        for test in ("save", "read", "mmap", "random", "overwrite", "append"):
            done = self.io("-t", 2, "-s", 4096, "-n", 50, "-y", 7, test, source, model)
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(done.stdout)
            self.assertEqual(found["bytes"], 50 * 4096 if found["operations"] == 50 else 600_001, test)
            self.assertGreater(found["seconds"], 0)

    def test_other_bytes_than_were_written_are_found(self):
        source, model = self.make_model()
        self.assertEqual(self.io("save", source, model).returncode, 0)
        with open(f"{model}/shard-001.bin", "r+b") as file:
            file.seek(200_000)
            byte = file.read(1)[0]
            file.seek(200_000)
            file.write(bytes([byte ^ 1]))
        for test in ("read", "mmap"):
            done = self.io(test, source, model)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("other bytes", done.stderr)
        self.assertEqual(self.io("-s", 1000, "-n", 5000, "random", source, model).returncode, 2)

    def test_wrong_usage_is_refused(self):
        for arguments in ([], ["--tmpfs", "--size", "1"], ["--tmpfs", "--places", "ext4"], ["--disk", "fast"]):
            done = subprocess.run([sys.executable, f"{HERE}/compare.py", *arguments], capture_output=True, check=False)
            self.assertEqual(done.returncode, 2, arguments)


class Mounted(unittest.TestCase):
    """Through real mounts."""

    def setUp(self):
        self.work = tempfile.mkdtemp(dir=WORK)
        self.addCleanup(shutil.rmtree, self.work)

    def command(self, *arguments):
        return [sys.executable, f"{HERE}/compare.py", "--quick", "--build", BUILD, "--dir", self.work, *arguments]

    def expected_tests(self):
        """{test: places} of a quick run."""
        tests = {f"save mixed {size} KiB x{writers}": DATA_PLACES for size in (64, 16384) for writers in (1, 2, 4)}
        tests.update({f"cold {way} mixed x{readers}": DATA_PLACES for way in ("read", "mmap") for readers in (1, 4)})
        tests.update({f"warm {way} mixed x1": DATA_PLACES for way in ("read", "mmap")})
        tests.update({f"random read mixed {size} KiB": DATA_PLACES for size in (4, 64)})
        tests.update({f"append 256 B, {synced}": DATA_PLACES for synced in ("synced once", "each synced")})
        tests["overwrite mixed 64 KiB"] = DATA_PLACES
        tests.update({f"{test} 100": NAME_PLACES for test in compare.NAME_TESTS})
        for label in ("calm", "storm x16"):
            tests.update({f"{label}: stat {figure}": NAME_PLACES for figure in ("p50", "p99")})
            tests.update({f"{label}: readdir {figure}": NAME_PLACES for figure in ("p50", "p99")})
        tests["storm x16: touch mixed"] = NAME_PLACES
        tests.update({f"storm x16: wake {figure}": NAME_PLACES for figure in ("p50", "p99")})
        return tests

    def check_entry(self, entry):
        self.assertGreater(entry["median"], 0, entry)
        self.assertEqual(len(entry["runs"]), 1)
        if entry["place"] == "native":
            self.assertEqual(entry["of_native"], 1)
            self.assertIsNone(entry["peak_rss_bytes"])
        else:
            self.assertGreater(entry["peak_rss_bytes"], 0, entry)
        if entry["unit"] == "us":
            self.assertGreater(entry["sample_count"], 0)
            return
        self.assertGreater(entry["cpu_client"], 0, entry)
        self.assertEqual(entry["cpu_daemon"] > 0, entry["place"] != "native", entry)

    def test_a_quick_run_measures_everything_everywhere_and_leaves_nothing(self):
        results = os.path.join(self.work, "results.json")
        done = subprocess.run(self.command("--json", results), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(results, encoding="utf-8") as file:
            found = json.load(file)["disks"][0]
        measured = {}
        for entry in found["results"]:
            measured.setdefault(entry["test"], set()).add(entry["place"])
            self.check_entry(entry)
        skipped = set(found["skipped"])
        self.assertLessEqual(skipped, {"null", "memory"} if os.geteuid() else set())
        expected = {test: where - skipped for test, where in self.expected_tests().items()}
        self.assertLessEqual(set(measured), set(expected))
        for test, where in expected.items():
            if test.startswith("storm"):  # so small a storm may end before anything was sampled
                self.assertLessEqual(measured.get(test, set()), where, test)
            else:
                self.assertEqual(measured.get(test), where, test)
        stored = {entry["place"]: entry["stored_bytes"] / entry["logical_bytes"]
                  for entry in found["results"] if entry["stored_bytes"]}
        self.assertLess(stored["auto"], 0.9 * stored["none"])  # bf16 and fp32 are known to shrink by more
        self.assertAlmostEqual(stored["native"], 1, delta=0.1)
        self.assertEqual(os.listdir(self.work), ["results.json"])

    def test_sigterm_unmounts_and_removes_everything(self):
        with subprocess.Popen(self.command("--runs", "100", "--groups", "data"), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as running:
            deadline = time.monotonic() + 120
            while self.work not in self.mounts():
                self.assertLess(time.monotonic(), deadline, "nothing was mounted")
                self.assertIsNone(running.poll(), "it ended by itself")
                time.sleep(0.01)
            running.send_signal(signal.SIGTERM)
            self.assertEqual(running.wait(120), 143)
        self.assertNotIn(self.work, self.mounts())
        self.assertEqual(os.listdir(self.work), [])

    @staticmethod
    def mounts():
        with open("/proc/self/mounts", encoding="utf-8") as file:
            return file.read()


if __name__ == "__main__":
    if "Mounted" in sys.argv and not (os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("fusermount3")):
        print("no /dev/fuse or no fusermount3")
        sys.exit(77)
    os.makedirs(WORK, exist_ok=True)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
