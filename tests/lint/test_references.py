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


PAGE = """
1. This is a step, not an invariant.

## Invariants

1. First.
2. Second,
   wrapped.

## Else

3. Not one either.
"""

WITH_LIST = """
/*
 * Parts. Invariants, of all together:
 * 1. One.
 * 2. Two, see {}.
 */

/*
 * 3. Not in the list.
 */
"""


class ReferencesTest(unittest.TestCase):
    def problems_of(self, document, name="page.md"):
        with tempfile.TemporaryDirectory() as root:
            for folder in ("docs", "store"):
                os.makedirs(os.path.join(root, folder))
            for path, text in (("store/part.c", SOURCE), ("docs/ARCHITECTURE.md", PAGE), (name, document)):
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return list(references.check(root, name))

    def test_a_function_that_is_defined_and_a_path_that_exists_are_accepted(self):
        self.assertEqual(self.problems_of("`store/part.c:wrapped`, `store/part.c`, `store/`"),
                         [(1, None)] * 3)

    def test_a_function_that_is_only_declared_or_called_is_found(self):
        for name in ("declared_only", "called_only", "wrap"):
            found = self.problems_of(f"text\n`store/part.c:{name}`")
            self.assertEqual(found, [(2, f"store/part.c defines no {name}()")])

    def test_a_file_that_is_missing_is_found(self):
        self.assertEqual(self.problems_of("`store/other.c:wrapped`"), [(1, "there is no store/other.c")])

    def test_other_spans_placeholders_and_blocks_are_not_looked_at(self):
        self.assertEqual(self.problems_of("`memory`, `store/test_MODULE.c`, `a/store/x.c`, store/y.c\n```\n`store/z.c`\n```\n"), [])

    def test_invariants_of_the_page_are_accepted_also_where_a_comment_wraps(self):
        for text in ("Invariant 2 of ARCHITECTURE.md", " * (invariant\n * 2 of\n * ARCHITECTURE.md)"):
            self.assertEqual(self.problems_of(text), [(1, None)])
        self.assertEqual(self.problems_of("invariants 1 and 2 of ARCHITECTURE.md"), [(1, None)] * 2)

    def test_an_invariant_that_the_page_does_not_have_is_found(self):
        for number in (0, 3):
            found = self.problems_of(f"text\ninvariants 1, {number} of ARCHITECTURE.md")
            self.assertEqual(found, [(2, None), (2, f"docs/ARCHITECTURE.md has no invariant {number}")])

    def test_an_invariant_without_a_page_is_looked_for_in_the_same_file(self):
        for number in (1, 2):
            self.assertEqual(self.problems_of(WITH_LIST.format(f"invariant {number}"), "store/list.c"), [(5, None)])
        found = self.problems_of(WITH_LIST.format("invariant 3"), "store/list.c")
        self.assertEqual(found, [(5, "store/list.c has no invariant 3")])
        self.assertEqual(self.problems_of("see invariant 1"), [(1, "page.md has no invariant 1")])

    def test_all_pages_and_sources_of_a_folder_are_looked_at(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "store", "room"))
            for path in ("store/room/part.c", "store/part.h", "store/page.md", "store/frame.bin"):
                with open(os.path.join(root, path), "w", encoding="utf-8"):
                    pass
            self.assertEqual(sorted(references.expand(root, ["store", "page.md"])),
                             ["page.md", "store/page.md", "store/part.h", "store/room/part.c"])


if __name__ == "__main__":
    unittest.main()
