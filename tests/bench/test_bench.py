#!/usr/bin/env python3
"""tensorfs-bench from the outside: every subcommand, small, through a real mount.

    test_bench.py --bench BINARY [--tensorfs BINARY] [--schema FILE] [--targets DIR] [unittest's arguments]

Without --tensorfs, or where FUSE cannot be used, the subcommands that can run on a plain directory do so.
"""

import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is

import png
import schema

OPTIONS = argparse.Namespace()
TIMEOUT = 300
SMALL_SWEEP = {
    "testing": {"num_runs": 2, "model": {"size": "1M", "mix": "train"}, "ranks": 2, "load": "mmap"},
    "test_configurations": [
        {"name": "baseline", "chunk_size_elements": 1024, "concurrency_limit": 1, "compression": "none"},
        {"name": "auto", "compression": "auto"},
    ],
    "parameter_scan": {"chunk_size": ["64K", "1M"], "concurrency": [1, 8], "compression": ["none", "gzip:1"]},
}


def can_mount():
    return OPTIONS.tensorfs is not None and os.access("/dev/fuse", os.R_OK | os.W_OK)


def mounts_below(directory):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        points = [line.split()[4] for line in file]
    return [point for point in points if point.startswith(directory + "/")]


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="bench-", dir=OPTIONS.work))
        self.addCleanup(self.clean)

    def clean(self):
        for point in mounts_below(self.dir):
            subprocess.run(["fusermount3", "-uz", point], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def arguments(self, *words):
        ours = []
        if OPTIONS.tensorfs and words[0] in ("sweep", "saveload", "meta", "cache", "pipeline"):
            ours.append("--tensorfs=" + OPTIONS.tensorfs)
        return [OPTIONS.bench, words[0], *ours, *words[1:]]

    def bench(self, *words, status=0, stdout=subprocess.PIPE):
        done = subprocess.run(self.arguments(*words), stdout=stdout, stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def place(self):
        return ("--store-dir=" if can_mount() else "--dir=") + self.dir

    def results(self, *words, status=0):
        """The JSON of a run; checked against the schema."""
        document = json.loads(self.bench(*words, "--json", status=status).stdout)
        self.assert_schema(document)
        return document

    def assert_schema(self, document):
        with open(OPTIONS.schema, encoding="utf-8") as file:
            problems = schema.Checker(json.load(file)).problems(document)
        self.assertEqual(problems, [])

    def assert_clean(self):
        self.assertEqual(mounts_below(self.dir), [])
        self.assertEqual([name for name in os.listdir(self.dir) if name.startswith("tensorfs-bench")], [])

    def assert_narrow(self, text):
        for line in text.splitlines():
            self.assertLessEqual(len(line), 100, line)

    def write(self, name, content):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path


class SchemaItself(Case):
    def test_the_checker_finds_what_is_wrong(self):
        document = self.results("pipeline", "--dir=" + self.dir, "--items=2", "--item-size=64K")
        with open(OPTIONS.schema, encoding="utf-8") as file:
            checker = schema.Checker(json.load(file))

        def broken(change):
            copy = json.loads(json.dumps(document))
            change(copy)
            return checker.problems(copy)

        self.assertEqual(broken(lambda copy: None), [])
        self.assertTrue(broken(lambda copy: copy.pop("items")))
        self.assertTrue(broken(lambda copy: copy.update(command="sweep")))
        self.assertTrue(broken(lambda copy: copy["environment"].update(cores="2")))
        self.assertTrue(broken(lambda copy: copy["places"][0]["batched"].update(total_s=0)))
        self.assertTrue(broken(lambda copy: copy["places"][0]["batched"]["phases"].pop()))
        self.assertTrue(broken(lambda copy: copy["places"][0].update(more=1)))


class Saveload(Case):
    def test_every_format_is_saved_loaded_and_compared(self):
        for name in ("safetensors", "torch", "npy", "raw"):
            with self.subTest(name):
                found = self.results("saveload", self.place(), "--baseline=" + self.dir, "--format=" + name,
                                     "--size=4M", "--runs=2", "--ranks=2", "--mix=train", "-q")
                self.assertEqual(found["format"], name)
                self.assertEqual(len(found["places"]), 2)
                self.assertAlmostEqual(found["bytes"], 4 << 20, delta=64)
                self.assertTrue(0 < found["bound_percent"] < 100)
                for place in found["places"]:
                    self.assertEqual(len(place["save"]["seconds"]["runs"]), 2)
                self.assert_clean()

    def test_the_table_is_narrow_and_tells_how_caches_were_cleared(self):
        text = self.bench("saveload", self.place(), "--baseline=" + self.dir, "--size=1M", "--runs=1").stdout
        self.assert_narrow(text)
        self.assertIn("Shannon's bound", text)
        self.assertRegex(text, "drop_caches|fadvise|not root")
        self.assertIn("Every loaded byte was compared", text)

    def test_real_files_can_be_saved(self):
        files = os.path.join(self.dir, "files")
        os.mkdir(files)
        for name in ("a.bin", "b.bin"):
            with open(os.path.join(files, name), "wb") as file:
                file.write(os.urandom(300000))
        found = self.results("saveload", self.place(), "--model=" + files, "--runs=1")
        self.assertEqual((found["bytes"], found["format"]), (600000, "files"))
        self.bench("saveload", self.place(), "--model=" + files, "--ranks=2", status=2)


class Meta(Case):
    def test_every_operation_has_figures_for_both_places(self):
        found = self.results("meta", self.place(), "--baseline=" + self.dir, "--count=20", "--rounds=2")
        for place in found["places"]:
            for operation in place["operations"]:
                if operation["calls"] == 0:  # only uncached ones, and only without root
                    self.assertRegex(operation["name"], "_cold$")
                    self.assertFalse(found["environment"]["root"] and can_mount())
                    continue
                self.assertLessEqual(operation["p50_us"], operation["p99_us"])
        names = {operation["name"]: operation["calls"] for operation in found["places"][0]["operations"]}
        self.assertEqual((names["mkdir"], names["tree_make"]), (40, 8))
        self.assert_clean()

    def test_the_table_is_narrow(self):
        self.assert_narrow(self.bench("meta", self.place(), "--baseline=" + self.dir, "--count=10",
                                      "--rounds=1").stdout)


class Cache(Case):
    def test_a_mount_counts_its_hits_and_keeps_its_budget(self):
        if not can_mount():
            self.skipTest("no mount")
        found = self.results("cache", self.place(), "-omemory=64M", "--requests=200", "--concurrency=16",
                             "--size=16M")
        loads = {load["name"]: load for load in found["loads"]}
        self.assertTrue(found["counted_by_mount"])
        self.assertGreater(loads["get_cached"]["hit_percent"], 99)
        self.assertGreater(loads["get_zipf"]["hits"], 0)
        self.assertEqual(loads["get_concurrent"]["threads"], 16)
        self.assertTrue(found["memory"]["within_budget"])
        self.assertGreater(found["memory"]["daemon_peak"], 0)
        self.assert_clean()

    def test_a_plain_directory_has_latencies_only(self):
        found = self.results("cache", "--dir=" + self.dir, "--requests=100", "--size=4M", "--concurrency=4")
        self.assertFalse(found["counted_by_mount"])
        self.assertNotIn("memory", found)
        self.assertNotIn("hit_percent", found["loads"][1])


class Pipeline(Case):
    def test_no_time_goes_missing(self):
        targets = os.path.join(OPTIONS.targets, "targets-pipeline.json")
        found = self.results("pipeline", self.place(), "--baseline=" + self.dir, "--items=6", "--item-size=1M",
                             "--threads=3", "--check=" + targets)
        for place in found["places"]:
            for mode in ("sequential", "batched"):
                phases = place[mode]["phases"]
                total = sum(phase["wall_s"] for phase in phases) + place[mode]["unaccounted_s"]
                self.assertAlmostEqual(total, place[mode]["total_s"], places=6)
                self.assertEqual([phase["calls"] for phase in phases], [6] * 7)
        self.assert_clean()

    def test_the_table_is_narrow_and_ends_with_what_is_unaccounted(self):
        text = self.bench("pipeline", self.place(), "--items=3", "--item-size=64K").stdout
        self.assert_narrow(text)
        rows = [line.split()[0] for line in text.splitlines() if line.strip()]
        self.assertEqual(rows[rows.index("total") + 1], "unaccounted")
        self.assertNotRegex(text, r"\b0\.000000\s+0\.000000")


class Sweep(Case):
    def setUp(self):
        super().setUp()
        if not can_mount():
            self.skipTest("a sweep mounts tensorfs")

    def assert_drawn(self, path, columns, rows):
        """Each panel has its share of dots that are not white, in several colours."""
        width, height, pixels = png.read(path)
        for row in range(rows):
            for column in range(columns):
                seen = {}
                for line in pixels[row * height // rows:(row + 1) * height // rows]:
                    for dot in line[column * width // columns:(column + 1) * width // columns]:
                        seen[dot] = seen.get(dot, 0) + 1
                ink = sum(seen.values()) - max(seen.values())
                self.assertGreater(ink, 1000, f"panel {row},{column} of {path} is blank")
                self.assertGreater(len(seen), 8, f"panel {row},{column} of {path} has few colours")

    def test_a_sweep_leaves_results_pictures_and_nothing_else(self):
        config = self.write("config.json", SMALL_SWEEP)
        out = os.path.join(self.dir, "out")
        done = self.bench("sweep", "--config=" + config, "--store-dir=" + self.dir, "--out=" + out, "--scan")
        self.assert_narrow(done.stdout)
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            found = json.load(file)
        self.assert_schema(found)
        self.assertEqual([test["name"] for test in found["tests"]], ["baseline", "auto"])
        self.assertEqual(len(found["parameter_scan"]), 6)
        for test in found["tests"] + found["parameter_scan"]:
            self.assertEqual(len(test["save"]["runs"]), 2)
            self.assertGreater(test["stored"]["min"], 0)
        self.assertEqual(found["tests"][0]["save_improvement_percent"], 0)
        self.assertIs(found["complete"], True)
        self.assertLess(found["tests"][1]["stored"]["mean"], found["tests"][0]["stored"]["mean"])
        self.assert_clean()
        if shutil.which("gnuplot") is None:
            self.skipTest("no gnuplot")
        self.assert_drawn(os.path.join(out, "optimization_analysis.png"), 3, 2)
        self.assert_drawn(os.path.join(out, "parameter_scan.png"), 3, 1)
        again = os.path.join(self.dir, "again")
        self.bench("plot", "--out=" + again, os.path.join(out, "results.json"))
        self.assert_drawn(os.path.join(again, "optimization_analysis.png"), 3, 2)

    def interrupt(self, out):
        """A sweep of very many runs, stopped in its second round."""
        config = self.write("config.json", SMALL_SWEEP)
        words = ("sweep", "--config=" + config, "--store-dir=" + self.dir, "--out=" + out, "--runs=99")
        child = subprocess.Popen(self.arguments(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if re.match("run 2/99 auto: load", line):
                break
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 128 + signal.SIGINT, said)
        self.assert_clean()
        return said

    def test_an_interrupted_sweep_keeps_what_it_measured(self):
        out = os.path.join(self.dir, "out")
        self.assertIn("results.json: what was measured so far", self.interrupt(out))
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            first = file.read()
        found = json.loads(first)
        self.assert_schema(found)
        self.assertIs(found["complete"], False)
        self.assertEqual({test["name"]: len(test["save"]["runs"]) >= 1 for test in found["tests"]},
                         {"baseline": True, "auto": True})
        if shutil.which("gnuplot") is not None:
            self.bench("plot", os.path.join(out, "results.json"))
        self.assertIn("results.partial.json", self.interrupt(out))
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            self.assertEqual(file.read(), first, "results that were there are not replaced")
        with open(os.path.join(out, "results.partial.json"), encoding="utf-8") as file:
            self.assert_schema(json.load(file))

    def test_thresholds_decide_the_exit_status(self):
        config = self.write("config.json", {**SMALL_SWEEP, "testing": {"num_runs": 1, "model": {"size": "1M"}}})
        words = ("sweep", "--config=" + config, "--out=" + self.dir, "-q")
        good = self.write("good.json", {"checks": [{"metric": "tests[auto].stored_percent", "max": 1000}]})
        bad = self.write("bad.json", {"checks": [{"metric": "tests[auto].stored_percent", "max": 0.1}]})
        wrong = self.write("wrong.json", {"checks": [{"metric": "x"}]})
        self.assertIn("ok", self.bench(*words, "--check=" + good).stdout)
        self.assertIn("MISSED", self.bench(*words, "--check=" + bad, status=1).stdout)
        self.assertIn("neither min nor max", self.bench(*words, "--check=" + wrong, status=2).stderr)

    def test_the_default_configuration_can_be_printed_and_given_back(self):
        text = self.bench("sweep", "--print-config").stdout
        names = [test["name"] for test in json.loads(text)["test_configurations"]]
        self.assertEqual(names, ["baseline", "concurrency_128", "chunks_1mb", "compression_gzip",
                                 "concurrency_chunks", "t5x_full", "auto", "auto_full"])

    def test_a_mount_that_fails_is_explained_and_cleaned_up(self):
        config = self.write("config.json", {"test_configurations": [
            {"name": "a", "mount_options": {"no_such_option": 1}}], "testing": {"model": {"size": "64K"}}})
        done = self.bench("sweep", "--config=" + config, "--out=" + self.dir, status=1)
        self.assertIn("no_such_option", done.stderr)
        self.assert_clean()


class Validate(Case):
    def start(self, *words):
        """On a file that would take minutes, until it has begun to read it."""
        with open(os.path.join(self.dir, "model.raw"), "wb") as file:
            file.truncate(2 << 40)
        child = subprocess.Popen(self.arguments("validate", self.dir, "--device=cpu", *words),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.kill)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            with open(f"/proc/{child.pid}/io", encoding="ascii") as file:
                if int(file.readline().split()[1]) > 64 << 20:
                    return child
            time.sleep(0.01)  # waiting for a condition, with a limit
        self.fail("it has read nothing")

    def test_a_signal_ends_it_at_once_with_a_report_of_what_was_done(self):
        manifest = os.path.join(self.dir, "manifest")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                child = self.start("--write-manifest=" + manifest)
                begin = time.monotonic()
                child.send_signal(number)
                printed, said = child.communicate(timeout=60)
                self.assertLess(time.monotonic() - begin, 10, "at once, on a machine with other work")
                self.assertEqual(child.returncode, 128 + number, said)
                self.assertIn("interrupted: 0 of 1 files were checked to their end\n1 files, ", printed)
                self.assertIn(f"interrupted by signal {int(number)}; no manifest was written", said)
                self.assertEqual(os.listdir(self.dir), ["model.raw"])

    def test_interrupted_results_say_so_in_json(self):
        child = self.start("--json")
        child.send_signal(signal.SIGTERM)
        found = json.loads(child.communicate(timeout=60)[0])
        self.assertEqual(child.returncode, 128 + signal.SIGTERM)
        self.assertIs(found["interrupted"], True)
        self.assertIs(found["ok"], False)
        self.assertIs(found["files"][0]["complete"], False)
        self.assertEqual(found["problem_count"], 0)

    def test_a_comparison_is_interrupted_too(self):
        child = self.start("--compare-sequential")
        child.send_signal(signal.SIGINT)
        printed, _ = child.communicate(timeout=60)
        self.assertEqual((child.returncode, printed), (128 + signal.SIGINT, ""))


class Plot(Case):
    """Pictures of results that are written here; without gnuplot there are script and data all the same."""

    def results_write(self, name, milliseconds):
        os.makedirs(os.path.dirname(os.path.join(self.dir, name)), exist_ok=True)
        summary = {"runs": [1], "min": 1, "median": 1, "mean": milliseconds / 1000, "max": 1, "stddev": 0}
        values = {value: summary for value in ("save", "load", "stored")}
        improvements = {f"{value}_improvement_percent": 5 for value in values}
        return self.write(name, {"tests": [{"name": name, **values, **improvements} for name in ("baseline", "auto")]})

    def plot(self, *words, status=0):
        if status == 0 and shutil.which("gnuplot") is None:
            self.skipTest("no gnuplot")
        return self.bench("plot", *words, status=status)

    def assert_data(self, folder, text):
        with open(os.path.join(self.dir, folder, "optimization_analysis.dat"), encoding="utf-8") as file:
            self.assertIn(text, file.read())

    def test_files_of_one_name_get_a_folder_each(self):
        files = [self.results_write(name, time) for name, time in
                 (("ra/results.json", 1111), ("rb/results.json", 2222), ("rb/other.json", 3333))]
        out = os.path.join(self.dir, "p")
        self.plot("--out=" + out, *files)
        whole = [file.strip("/").replace("/", "-")[:-len(".json")] for file in files]
        self.assertEqual(sorted(os.listdir(out)), sorted([whole[0], whole[1], "other"]))
        self.assert_data(f"p/{whole[0]}", "1.111")
        self.assert_data(f"p/{whole[1]}", "2.222")
        self.assert_data("p/other", "3.333")

    def test_pictures_that_would_replace_others_are_refused_before_any_is_drawn(self):
        first = self.results_write("ra/a.json", 1)
        second = self.results_write("ra/b.json", 2)
        third = self.results_write("ra-a.json", 3)
        self.assertIn("give --out", self.plot(first, second, status=2).stderr)
        self.assertIn("both go to", self.plot("--out=" + self.dir + "/p", first, first, status=2).stderr)
        self.assertEqual(sorted(os.listdir(self.dir)), ["ra", "ra-a.json"])
        self.assertEqual(sorted(os.listdir(self.dir + "/ra")), ["a.json", "b.json"])
        self.plot("--out=" + self.dir + "/p", first, third)
        self.assertEqual(sorted(os.listdir(self.dir + "/p")), ["a", "ra-a"])


class Usage(Case):
    def test_wrong_usage_is_status_2_with_one_clear_line(self):
        for words, said in (
                (("saveload",), "saveload needs --dir=DIR"),
                (("saveload", "--dir=/tmp", "--store-dir=/tmp"), "not both"),
                (("saveload", "--dir=/tmp", "--fromat=torch"), "unknown option '--fromat=torch'"),
                (("saveload", "--dir=/tmp", "--format=hdf5"), "must be one of: safetensors torch npy raw"),
                (("saveload", "--dir=/tmp", "--mix=bf17"), "--mix=bf17"),
                (("saveload", "--dir=/tmp", "--size=much"), "not a size"),
                (("saveload", "--dir=/tmp", "--size"), "a value is missing"),
                (("meta", "--dir=/tmp", "--count=0"), "must lie between"),
                (("cache", "--dir=/tmp", "--block=5000"), "multiples of 4096"),
                (("pipeline", "--dir=/tmp", "more"), "unexpected argument 'more'"),
                (("sweep", "--config=/nonexistent.json"), "/nonexistent.json"),
                (("sweep", "--dir=/tmp"), "--store-dir"),
                (("plot",), "results.json"),
                (("nothing",), "unknown command 'nothing'")):
            with self.subTest(words):
                self.assertIn(said, self.bench(*words, status=2).stderr)

    def test_a_bad_configuration_is_named_with_its_line(self):
        path = self.write("bad.json", '{\n "test_configurations": [\n  {"name": "a",\n   "compresion": "gzip"}]}')
        done = self.bench("sweep", "--config=" + path, "--out=" + self.dir, status=2)
        self.assertIn("bad.json:4: test_configurations[0].compresion: unknown key", done.stderr)

    def test_failures_are_status_1(self):
        self.bench("saveload", "--dir=/nonexistent", "--size=1M", status=1)
        done = self.bench("meta", "--store-dir=" + self.dir, "--tensorfs=/nonexistent", status=1)
        self.assertIn("'/nonexistent' (give --tensorfs=PATH)", done.stderr)
        self.assert_clean()

    def test_missing_space_is_found_out_beforehand(self):
        for words in (("saveload", "--size=900T"), ("cache", "--size=900T"),
                      ("pipeline", "--item-size=1T", "--items=900")):
            done = self.bench(*words, "--dir=" + self.dir, status=1)
            self.assertRegex(done.stderr, r"has .* free, this needs .*: No space left")
            self.assert_clean()

    def test_help_and_version(self):
        for command in ("sweep", "saveload", "meta", "cache", "pipeline", "plot"):
            text = self.bench(command, "--help").stdout
            self.assert_narrow(text)
            self.assertIn(f"Usage: tensorfs-bench {command}", text)
            self.assertIn("Example", text)
        self.assertRegex(self.bench("--version").stdout, r"^tensorfs-bench \d+\.\d+")
        listed = self.bench("--help").stdout
        for command in ("sweep", "saveload", "meta", "cache", "pipeline", "validate", "plot"):
            self.assertRegex(listed, rf"\n  {command} +\w")
        self.assertIn("validate", self.bench("validate", "--help").stdout)


class Output(Case):
    """What stands on standard output and how the commands end, for all of them alike."""

    SMALL = {
        "saveload": ("--size=256K", "--runs=1", "--no-warm-up"),
        "meta": ("--count=10", "--rounds=1"),
        "cache": ("--size=1M", "--requests=100", "--concurrency=2", "--block=64K"),
        "pipeline": ("--items=1", "--item-size=64K"),
    }

    def long_directory(self):
        path = os.path.join(self.dir, "d" * 80)
        os.mkdir(path)
        return path

    def test_json_is_all_that_is_printed_and_fits_the_schema(self):
        for command, words in self.SMALL.items():
            with self.subTest(command):
                done = self.bench(command, "--dir=" + self.dir, "--json", *words)
                document = json.loads(done.stdout)
                self.assert_schema(document)
                self.assertEqual(document["command"], command)
                self.assertNotIn("{", done.stderr)
                self.assert_clean()

    def test_a_seed_is_kept_with_the_results(self):
        for command, words in self.SMALL.items():
            with self.subTest(command):
                self.assertEqual(self.results(command, "--dir=" + self.dir, "--seed=7", *words)["seed"], 7)

    def test_no_line_is_wide_however_long_the_path_is(self):
        directory = self.long_directory()
        for command, words in self.SMALL.items():
            baseline = () if command == "cache" else ("--baseline=" + directory,)
            with self.subTest(command):
                self.assert_narrow(self.bench(command, "--dir=" + directory, *baseline, *words).stdout)

    def test_columns_of_times_name_their_units(self):
        for command, units in (("saveload", ("min s", "median s", "mean s", "std s", "GB/s")),
                               ("meta", ("mean us", "p50 us", "p99 us", "op/s", "baseline us")),
                               ("cache", ("mean us", "p50 us", "p99 us", "max us", "req/s", "hits %")),
                               ("pipeline", ("wall s", "cpu s", "%"))):
            baseline = () if command == "cache" else ("--baseline=" + self.dir,)
            with self.subTest(command):
                text = self.bench(command, "--dir=" + self.dir, *baseline, *self.SMALL[command]).stdout
                heading = next(line for before, line in zip([""] + text.splitlines(), text.splitlines())
                               if not before and "  " in line)
                for unit in units:
                    self.assertIn(unit, heading)

    def test_one_is_not_written_as_many(self):
        self.assertRegex(self.bench("saveload", "--dir=" + self.dir, *self.SMALL["saveload"]).stdout,
                         r"1 rank, .*, 1 run, ")
        self.assertIn("1 round\n", self.bench("meta", "--dir=" + self.dir, *self.SMALL["meta"]).stdout)

    def test_thresholds_are_compared_with_the_results_of_each_command(self):
        for command, metric in (("saveload", "places[0].save.gb_per_s"),
                                ("meta", "places[0].operations[mkdir].mean_us"),
                                ("cache", "loads[get_zipf].p99_us"),
                                ("pipeline", "places[0].speedup.total")):
            for limit, status, word in ((0, 0, "ok"), (1e12, 1, "MISSED")):
                with self.subTest(f"{command}, min {limit}"):
                    file = self.write("checks.json", {"checks": [{"metric": metric, "min": limit}]})
                    done = self.bench(command, "--dir=" + self.dir, "--check=" + file, *self.SMALL[command],
                                      status=status)
                    self.assertRegex(done.stdout, rf"{re.escape(metric)} .* {word}\n")

    def test_output_that_cannot_be_written_is_status_1(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            for command, words in self.SMALL.items():
                for json_word in ((), ("--json",)):
                    with self.subTest(f"{command} {json_word}"):
                        done = self.bench(command, "--dir=" + self.dir, *json_word, *words, status=1, stdout=full)
                        self.assertIn("No space left", done.stderr)
                        self.assert_clean()
            self.bench("sweep", "--print-config", status=1, stdout=full)
            self.bench("--help", status=1, stdout=full)

    def test_a_place_that_cannot_be_written_is_status_1_and_named(self):
        for command, words in self.SMALL.items():
            with self.subTest(command):
                done = self.bench(command, "--dir=/proc/self", *words, status=1)
                self.assertIn("making a directory in '/proc/self'", done.stderr)
                self.assertEqual(done.stdout, "")

    def test_plot_takes_the_results_of_a_sweep_only(self):
        for content, said in (("", "not JSON"), ("[]", "holds no results of a sweep"),
                              ({"tests": []}, "holds no results of a sweep"), ("{\n\n", ":3: not JSON")):
            with self.subTest(content):
                self.assertIn(said, self.bench("plot", self.write("x.json", content), status=2).stderr)
        self.assertIn("No such file", self.bench("plot", self.dir + "/none.json", status=2).stderr)
        self.assertIn("is a directory", self.bench("plot", self.dir, status=2).stderr)
        self.assertEqual(os.listdir(self.dir), ["x.json"])

    def test_a_sweep_finds_out_before_it_measures_what_is_missing(self):
        config = self.write("config.json", SMALL_SWEEP)
        out = "--out=" + self.dir
        for words, status, said in (
                (("--config=" + config, out, "--tensorfs=/nonexistent"), 1, "the tensorfs binary '/nonexistent'"),
                (("--config=" + config, "--out=/proc/self/none"), 1, "creating '/proc/self/none'"),
                (("--config=" + config, out, "--runs=0"), 2, "--runs=0: it must lie between 1 and 100"),
                (("--config=" + config, out, "--size=1K"), 2, "--size=1K: it must lie between"),
                (("--config=" + self.dir, out), 2, "is a directory"),
                (("--config=" + config, out, "--store-dir=/nonexistent"), 1, "/nonexistent")):
            with self.subTest(words):
                done = self.bench("sweep", *words, status=status)
                self.assertIn(said, done.stderr)
                self.assertNotIn("run 1/", done.stderr)
        self.assertEqual(os.listdir(self.dir), ["config.json"])


class Interrupts(Case):
    """A signal in the middle of each command: its status, no results, nothing left behind."""

    ENDLESS = {
        "saveload": ("--size=8M", "--runs=1000"),
        "meta": ("--count=50000", "--rounds=100"),
        "cache": ("--size=8M", "--requests=1000000"),
        "pipeline": ("--items=500", "--item-size=1M"),
    }

    def interrupted(self, command, number, *words):
        child = subprocess.Popen(self.arguments(command, "--dir=" + self.dir, *words, *self.ENDLESS[command]),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        child.stderr.readline()  # the name of the first stage: it is at work
        child.send_signal(number)
        printed, said = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 128 + number, said)
        self.assertEqual(said.count("interrupted, cleaned up"), 1)
        self.assert_clean()
        return printed

    def test_no_command_prints_results_that_it_has_not_measured(self):
        for command in self.ENDLESS:
            for number, words in ((signal.SIGINT, ()), (signal.SIGTERM, ("--json",)), (signal.SIGHUP, ())):
                with self.subTest(f"{command}, {number}"):
                    self.assertEqual(self.interrupted(command, number, *words), "")


class People(Case):
    def test_piped_it_says_plain_lines_and_quiet_nothing(self):
        words = ("pipeline", "--dir=" + self.dir, "--items=2", "--item-size=64K")
        loud = self.bench(*words).stderr
        self.assertIn("sequential", loud)
        self.assertNotIn("\r", loud)
        self.assertEqual(self.bench(*words, "--quiet").stderr, "")

    def test_a_terminal_gets_a_bar_with_rate_and_time_left(self):
        master, slave = pty.openpty()
        child = subprocess.Popen(self.arguments("saveload", "--dir=" + self.dir, "--size=96M", "--runs=2"),
                                 stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        seen = b""
        while True:
            if select.select([master], [], [], TIMEOUT)[0] == []:
                break
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end was closed
                break
            if not piece:
                break
            seen += piece
        self.assertEqual(child.wait(TIMEOUT), 0)
        os.close(master)
        text = seen.decode()
        self.assertRegex(text, r"\r\x1b\[K.*\[#*\.*\] +\d+ %  [\d.]+ [MG]B/s")
        self.assertIn(" left", text)
        self.assertTrue(text.endswith("\r\x1b[K"), "the bar is taken away")

    def test_ctrl_c_leaves_neither_mounts_nor_files(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                words = ("saveload", self.place(), "--size=64M", "--runs=100")
                child = subprocess.Popen(self.arguments(*words), stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True)
                for line in child.stderr:
                    if re.match("run [12]: load", line):
                        break
                child.send_signal(number)
                _, said = child.communicate(timeout=TIMEOUT)
                self.assertEqual(child.returncode, 128 + number, said)
                self.assertIn("interrupted", said)
                self.assert_clean()

    def test_a_daemon_does_not_outlive_a_killed_tool(self):
        if not can_mount():
            self.skipTest("no mount")
        child = subprocess.Popen(self.arguments("saveload", self.place(), "--size=32M", "--runs=100"),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if re.match("run 1: load", line):
                break
        child.kill()
        child.communicate(timeout=TIMEOUT)
        deadline = time.monotonic() + TIMEOUT
        while mounts_below(self.dir) and time.monotonic() < deadline:
            time.sleep(0.01)  # waiting for a condition, with a limit
        self.assertEqual(mounts_below(self.dir), [])


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    configs = os.path.normpath(os.path.join(here, "../../bench/configs"))
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--tensorfs")
    parser.add_argument("--work")
    parser.add_argument("--schema", default=os.path.join(configs, "results.schema.json"))
    parser.add_argument("--targets", default=configs)
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
