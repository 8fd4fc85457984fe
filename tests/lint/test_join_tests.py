#!/usr/bin/python3
"""Goal: tests of several build trees run in one ctest as they would in their own, and say why they skip.

Method: two small trees of test files, joined, run by ctest itself.
"""

import os
import subprocess
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "dev")
JOIN = os.path.join(TOOLS, "join_tests.py")
REASONS = os.path.join(TOOLS, "skip_reasons.py")

FIRST = """
add_test("skips" sh -c "echo noise; echo 'skip: no frobnicator here'; exit 77")
set_tests_properties("skips" PROPERTIES SKIP_RETURN_CODE 77 LABELS "mount")
add_test("quotes" sh -c "test \\"$A\\" = 'x;y z' && test \\"$0\\" = 'q]=]r'" "q]=]r")
set_tests_properties("quotes" PROPERTIES ENVIRONMENT "A=x\\\\;y z;B=2" LABELS "unit" FIXTURES_REQUIRED f)
add_test("sets_up" true)
set_tests_properties("sets_up" PROPERTIES FIXTURES_SETUP f)
add_test("takes_hours" false)
set_tests_properties("takes_hours" PROPERTIES LABELS "unit;long")
"""

SECOND = """
add_test("quotes" false)
set_tests_properties("quotes" PROPERTIES LABELS "unit")
"""


def run(*command, folder=None):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


class JoinTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        for tree, text in (("first", FIRST), ("second", SECOND)):
            os.mkdir(self.path(tree))
            with open(self.path(tree, "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
                file.write(text)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def join_and_run(self, *trees):
        joined = run(JOIN, self.path("all"), "^long$", *trees)
        self.assertEqual(joined.returncode, 0, joined.stderr)
        return run("ctest", "--output-junit", "r.xml", folder=self.path("all"))

    def test_quotes_fixtures_environment_and_skips_survive(self):
        result = self.join_and_run("a", self.path("first"), "")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("100% tests passed, 0 tests failed out of 3", result.stdout)

    def test_the_reason_of_a_skip_is_printed(self):
        self.join_and_run("a", self.path("first"), "")
        reasons = run(REASONS, self.path("all", "r.xml")).stdout
        self.assertIn("1 skipped:", reasons)
        self.assertIn("a.skips: skip: no frobnicator here", reasons)

    def test_one_name_in_two_trees_stays_two_tests_and_a_failure_is_one(self):
        result = self.join_and_run("a", self.path("first"), "^unit$", "b", self.path("second"), "")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"a\.quotes \.+ +Passed")
        self.assertRegex(result.stdout, r"b\.quotes \.+\*\*\*Failed")
        self.assertNotIn("skips", result.stdout)

    def test_a_test_that_was_not_built_is_an_error(self):
        with open(self.path("second", "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
            file.write('add_test("absent" "/nowhere/absent")\n')
        joined = run(JOIN, self.path("all"), "", "b", self.path("second"), "")
        self.assertNotEqual(joined.returncode, 0)
        self.assertIn("absent", joined.stderr)


if __name__ == "__main__":
    unittest.main()
