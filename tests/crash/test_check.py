#!/usr/bin/env python3
"""The check of the crash test must notice every kind of loss: savers work on a plain directory,
which is then tampered with in one way after the other."""

import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = sys.argv.pop(1)
BLOCK = 4096
CUT_BLOCKS = 512
TAMPERED = ("torch-*.pt", "model-*.safetensors", "log-*", "in-place", "rewrite", "stream-*")


def largest(folder, pattern):
    found = sorted(glob.glob(os.path.join(folder, pattern)), key=os.path.getsize)
    return found[-1] if found and os.path.getsize(found[-1]) > 2 * BLOCK else None


def acknowledged_file(folder, pattern):
    found = largest(folder, pattern)
    assert found, f"no {pattern} to tamper with"
    return found


def steps(folder):
    return sorted(int(name.rsplit("-", 1)[1]) for name in glob.glob(folder + "/step-*"))


def has_removed_steps(folder):
    """So many that the one two before the oldest is one whose removal was acknowledged."""
    return (steps(folder) or [0])[0] > 2


def kill_with_something_of_each(saver, folder):
    """Files that are rewritten are short now and then: look while the savers stand still."""
    deadline = time.monotonic() + 60
    while True:
        saver.send_signal(signal.SIGSTOP)
        time.sleep(0.01)
        if all(largest(folder, pattern) for pattern in TAMPERED) and has_removed_steps(folder):
            break
        assert time.monotonic() < deadline, "the savers have not written all kinds of files"
        saver.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    saver.kill()
    saver.wait()


def has_shared(folder, record):
    """More acknowledged than the first half of the shared file has; holes and data in the others."""
    done = subprocess.run([PROGRAM, "check", folder, record], capture_output=True, text=True,
                          check=False)
    return (done.returncode == 0 and int(done.stdout.split()[1]) > 2 * CUT_BLOCKS + 1200
            and first_block(folder + "/cut", hole=True) is not None
            and has_data_at_its_end(folder + "/copied"))


def has_data_at_its_end(path):
    with open(path, "rb") as file:
        file.seek(CUT_BLOCKS // 2 * BLOCK)
        return any(file.read())


def kill_sharers(saver, folder, record):
    deadline = time.monotonic() + 60
    while True:
        saver.send_signal(signal.SIGSTOP)
        time.sleep(0.01)
        if has_shared(folder, record):
            break
        assert time.monotonic() < deadline, "the sharers have not come far enough"
        saver.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    saver.kill()
    saver.wait()


def first_block(path, hole):
    """Where the first block is that is a hole, or is none."""
    with open(path, "rb") as file:
        for offset in range(0, os.path.getsize(path), BLOCK):
            if (file.read(BLOCK) == bytes(BLOCK)) == hole:
                return offset
    return None


def change(path, offset, content):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def zero_block(path):
    change(path, BLOCK, bytes(BLOCK))


def change_bytes(path):
    change(path, BLOCK + 99, b"!!")


def swap_blocks(path):
    """Right blocks in the wrong places."""
    with open(path, "r+b") as file:
        first, second = file.read(BLOCK), file.read(BLOCK)
        file.seek(0)
        file.write(second + first)


class Tampering(unittest.TestCase):
    @classmethod
    def work(cls, how):
        cls.folder = tempfile.TemporaryDirectory()
        cls.good = os.path.join(cls.folder.name, "good")
        cls.record = os.path.join(cls.folder.name, "record")
        os.mkdir(cls.good)
        saver = subprocess.Popen([PROGRAM, how, cls.good, cls.record, "1"])
        time.sleep(4)
        assert saver.poll() is None, "the savers ended by themselves"
        return saver

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check(self, folder):
        return subprocess.run([PROGRAM, "check", folder, self.record], capture_output=True,
                              text=True, check=False)

    def notices(self, tamper):
        bad = os.path.join(self.folder.name, "bad")
        shutil.copytree(self.good, bad, symlinks=True)
        try:
            tamper(bad)
            done = self.check(bad)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("WRONG", done.stderr)
        finally:
            shutil.rmtree(bad)


class Check(Tampering):
    @classmethod
    def setUpClass(cls):
        kill_with_something_of_each(cls.work("save"), cls.good)

    def test_nothing_wrong_passes_and_is_counted(self):
        done = self.check(self.good)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(int(done.stdout.split()[1]), 600)

    def test_a_zeroed_block_of_a_checkpoint_is_noticed(self):
        for pattern in ("torch-*.pt", "model-*.safetensors"):
            self.notices(lambda bad, p=pattern: zero_block(acknowledged_file(bad, p)))

    def test_a_changed_byte_is_noticed_everywhere(self):
        for pattern in TAMPERED:
            self.notices(lambda bad, p=pattern: change_bytes(acknowledged_file(bad, p)))

    def test_a_truncated_checkpoint_is_noticed(self):
        for pattern in ("torch-*.pt", "model-*.safetensors"):
            self.notices(lambda bad, p=pattern: os.truncate(acknowledged_file(bad, p), BLOCK))

    def test_a_missing_checkpoint_is_noticed(self):
        for pattern in ("torch-*.pt", "model-*.safetensors", "log-*", "in-place"):
            self.notices(lambda bad, p=pattern: os.unlink(acknowledged_file(bad, p)))

    def test_a_shorter_and_a_longer_log_are_noticed(self):
        def shorten(bad):
            path = acknowledged_file(bad, "log-*")
            os.truncate(path, os.path.getsize(path) - 10000)

        def lengthen(bad):
            path = acknowledged_file(bad, "log-*")
            os.truncate(path, os.path.getsize(path) + 10000)

        self.notices(shorten)
        self.notices(lengthen)

    def test_blocks_in_the_wrong_place_are_noticed(self):
        for pattern in ("torch-*.pt", "in-place"):
            self.notices(lambda bad, p=pattern: swap_blocks(acknowledged_file(bad, p)))

    def test_an_older_checkpoint_in_place_of_a_newer_is_noticed(self):
        def mix_up(bad):
            path = acknowledged_file(bad, "torch-*.pt")
            other = [name for name in glob.glob(os.path.join(bad, "torch-*.pt")) if name != path][0]
            shutil.copyfile(other, path)

        self.notices(mix_up)

    def test_a_hole_in_a_stream_is_noticed(self):
        self.notices(lambda bad: zero_block(acknowledged_file(bad, "stream-*")))

    def test_an_older_link_is_noticed(self):
        def point_back(bad):
            os.unlink(bad + "/latest")
            os.symlink("version-1", bad + "/latest")

        self.notices(point_back)

    def test_a_missing_small_file_and_a_step_that_is_back_are_noticed(self):
        self.notices(lambda bad: os.unlink(f"{bad}/step-{steps(bad)[-2]}/7"))
        # The one just before the oldest may be gone without its removal being acknowledged.
        self.notices(lambda bad: os.mkdir(f"{bad}/step-{steps(bad)[0] - 2}"))


class CheckOfShared(Tampering):
    @classmethod
    def setUpClass(cls):
        kill_sharers(cls.work("share"), cls.good, cls.record)

    def test_nothing_wrong_passes(self):
        self.assertEqual(self.check(self.good).returncode, 0)

    def test_a_missing_file_is_noticed(self):
        for pattern in ("shared-*", "cut", "copied"):
            self.notices(lambda bad, p=pattern: os.unlink(glob.glob(f"{bad}/{p}")[0]))

    def test_a_file_that_ends_too_early_is_noticed(self):
        for pattern in ("shared-*", "copied"):  # the other may just be about to be cut
            self.notices(lambda bad, p=pattern: os.truncate(
                glob.glob(f"{bad}/{p}")[0], os.path.getsize(glob.glob(f"{bad}/{p}")[0]) // 2))

    def test_bytes_in_a_hole_are_noticed(self):
        self.notices(lambda bad: change(bad + "/cut", first_block(bad + "/cut", hole=True) + 99,
                                        b"!!"))

    def test_a_changed_byte_is_noticed(self):
        self.notices(lambda bad: change(bad + "/cut", first_block(bad + "/cut", hole=False) + 99,
                                        b"!!"))


if __name__ == "__main__":
    unittest.main()
