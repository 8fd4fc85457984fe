#!/usr/bin/python3
"""Goal: the lint of references accepts what is there and finds each thing that is not.

Method: a source and a document in a temporary folder, checked through the lint's own functions.
"""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import references  # noqa: E402

SOURCE = """
int declared_only(int value);

static int wrapped(const char *name, int value)
    TFS_REQUIRES(&lock)
{
    return called_only(name, value);
}
"""


class ReferencesTest(unittest.TestCase):
    def problems_of(self, document):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "store"))
            for path, text in (("store/part.c", SOURCE), ("page.md", document)):
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return list(references.check(root, "page.md"))

    def test_a_function_that_is_defined_and_a_path_that_exists_are_accepted(self):
        self.assertEqual(self.problems_of("`store/part.c:wrapped`, `store/part.c`, `store/`"),
                         [(1, None)] * 3)

    def test_a_function_that_is_only_declared_or_called_is_found(self):
        for name in ("declared_only", "called_only", "wrap"):
            found = self.problems_of(f"text\n`store/part.c:{name}`")
            self.assertEqual(found, [(2, f"store/part.c defines no {name}()")])

    def test_a_file_that_is_missing_is_found(self):
        self.assertEqual(self.problems_of("`store/other.c:wrapped`"), [(1, "there is no store/other.c")])

    def test_other_spans_and_blocks_are_not_looked_at(self):
        self.assertEqual(self.problems_of("`memory`, `a/store/x.c`, store/y.c\n```\n`store/z.c`\n```\n"), [])


if __name__ == "__main__":
    unittest.main()
