#!/usr/bin/env python3
"""The runner itself: it must fail what fails, skip what skips, and leave nothing behind.

Uses a plain directory, so that it needs neither a mount nor root.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True

import fingerprint

HERE = os.path.dirname(os.path.abspath(__file__))


class Runner(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_case(self, text, name="case.sh", **environment):
        path = os.path.join(self.folder.name, name)
        plain = os.path.join(self.folder.name, "plain")
        os.makedirs(plain, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([sys.executable, os.path.join(HERE, "run_case.py"), path],
                              env=dict(os.environ, TFS_TEST_DIR=plain, **environment),
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(os.listdir(plain), [], "the case's folder was left")
        return done.returncode, done.stdout + done.stderr

    def test_a_case_that_succeeds_passes(self):
        self.assertEqual(self.run_case("# CASE: x\ntouch $MNT/file\n")[0], 0)

    def test_a_command_that_fails_fails_the_case(self):
        status, said = self.run_case("# CASE: x\nfalse\ntrue\n")
        self.assertEqual(status, 1)
        self.assertIn("FAILED", said)

    def test_a_failed_helper_fails_the_case(self):
        for line in ("expect_equal 1 2 numbers", "expect_fail nothing true", "fail because",
                     "expect_fail 'No such file' cat /", "wait_for 0 false"):
            status, said = self.run_case(f'# CASE: x\n. "$TFS_LIB"\n{line}\ntrue\n')
            self.assertEqual((line, status), (line, 1), said)

    def test_a_skip_is_told_with_its_reason(self):
        status, said = self.run_case('# CASE: x\n. "$TFS_LIB"\nskip "no moon"\n')
        self.assertEqual(status, 77)
        self.assertIn("no moon", said)

    @unittest.skipUnless(os.access("/dev/fuse", os.R_OK | os.W_OK), "needs /dev/fuse")
    def test_two_runs_in_one_folder_take_turns(self):
        path = os.path.join(self.folder.name, "case.sh")
        marks = [os.path.join(self.folder.name, mark) for mark in ("begun", "go")]
        with open(path, "w", encoding="utf-8") as file:
            file.write('# CASE: x\n# MOUNT: none\n. "$TFS_LIB"\n'
                       'echo $$ >"$WORK/file"\ntouch "$CACHE/begun"\n'
                       'wait_for 50 test -e "$CACHE/go"\n[ "$(cat "$WORK/file")" = $$ ]\n')
        command = [sys.executable, os.path.join(HERE, "run_case.py"), "--tensorfs=/bin/true",
                   f"--work={self.folder.name}/work", path]
        first = subprocess.Popen(command)
        while not os.path.exists(marks[0]):
            time.sleep(0.01)
        second = subprocess.Popen(command)
        time.sleep(0.5)  # without turns it has wiped the folder long before
        with open(marks[1], "w", encoding="ascii"):
            pass
        self.assertEqual([first.wait(60), second.wait(60)], [0, 0])

    def test_a_missing_need_skips(self):
        status, said = self.run_case("# CASE: x\n# NEEDS: no-such-command\nfalse\n")
        self.assertEqual(status, 77)
        self.assertIn("no-such-command", said)

    def test_a_case_without_its_sentence_fails(self):
        self.assertNotEqual(self.run_case("true\n")[0], 0)

    def test_a_case_that_hangs_is_ended(self):
        started = time.monotonic()
        status, said = self.run_case("# CASE: x\n# TIMEOUT: 1\nsleep 100\n")
        self.assertEqual(status, 1)
        self.assertIn("not finished", said)
        self.assertLess(time.monotonic() - started, 30)

    def test_processes_left_behind_are_ended(self):
        status, said = self.run_case("# CASE: x\n# TIMEOUT: 20\nsetsid sleep 1000 &\n"
                                     'echo $! >"$WORK/../../pid"\nsleep 0.3\n',
                                     TFS_TEST_LINGER="1")
        with open(os.path.join(self.folder.name, "pid"), encoding="ascii") as file:
            pid = int(file.read())
        self.assertEqual(status, 1, said)
        self.assertIn("left running", said)
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_python_cases_run_too(self):
        self.assertEqual(self.run_case("# CASE: x\nimport damage\n", "case.py", STORE="/")[0], 0)
        self.assertEqual(self.run_case("# CASE: x\nassert False\n", "case.py")[0], 1)

    def test_the_fingerprint_sees_every_kind_of_change(self):
        root = os.path.join(self.folder.name, "tree")
        path = os.path.join(root, "file")
        changes = {
            "content": lambda: write(path, b"other con"),
            "size": lambda: os.truncate(path, 3),
            "mode": lambda: os.chmod(path, 0o600),
            "mtime": lambda: os.utime(path, ns=(1, 1)),
            "nlink": lambda: os.link(path, path + "2"),
            "appeared": lambda: write(path + "3", b""),
            "gone": lambda: os.unlink(path + "3"),
            "target": lambda: (os.unlink(path + "4"), os.symlink("b", path + "4")),
        }
        os.mkdir(root)
        write(path, b"some data")
        os.symlink("a", path + "4")
        for key, change in changes.items():
            before = fingerprint.fingerprint(root)
            self.assertEqual(fingerprint.differences(before, fingerprint.fingerprint(root)), [])
            change()
            found = fingerprint.differences(before, fingerprint.fingerprint(root))
            self.assertTrue(any(key in line for line in found), f"{key}: {found}")


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    unittest.main()
