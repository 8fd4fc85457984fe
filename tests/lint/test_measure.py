#!/usr/bin/python3
"""Goal: the measures count what hangs together in the sources, and nothing else.

Method: small trees are written to a temporary folder and measured.
"""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LINT = os.path.join(ROOT, "tools", "dev", "layers.py")
sys.path.insert(0, os.path.dirname(LINT))

import measure  # noqa: E402


def function(name, *calls):
    body = "".join(f"    {call}();\n" for call in calls)
    return f"int {name}(void)\n{{\n{body}}}\n"


class MeasureTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, path, text):
        full = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def tree(self):
        return measure.Tree(self.folder.name)

    def circles(self):
        return measure.circles_of(measure.calls_of(self.tree().below("store/")))

    def test_modules_that_call_each_other_are_a_circle(self):
        self.write("store/a.c", function("a_go", "b_go"))
        self.write("store/b.c", function("b_go", "c_go"))
        self.write("store/c.c", function("c_go", "a_go"))
        self.write("store/d.c", function("d_go", "a_go"))
        self.assertEqual(self.circles(), [["store/a", "store/b", "store/c"]])

    def test_calls_that_go_down_only_are_none(self):
        self.write("store/a.c", function("a_go", "b_go", "c_go"))
        self.write("store/b.c", function("b_go", "c_go"))
        self.write("store/c.c", function("c_go"))
        self.assertEqual(self.circles(), [])

    def test_a_function_that_is_named_is_called(self):
        self.write("store/a.c", "int a_go(void)\n{\n    return start(b_main);\n}\n")
        self.write("store/b.c", function("b_main", "a_go"))
        self.assertEqual(len(self.circles()), 1)

    def test_members_comments_and_static_functions_are_no_calls(self):
        self.write("store/a.c", "/* b_go */\nint a_go(void)\n{\n    return x->b_go + x.b_go;\n}\n")
        self.write("store/b.c", function("b_go", "a_go", "c_go"))
        self.write("store/c.c", function("c_go", "help"))
        self.write("store/b.h", "static inline " + function("help"))
        self.assertEqual(self.circles(), [])

    def test_callers_of_the_index_are_files_of_the_store_outside_of_it(self):
        self.write("store/index/index_read.c", function("index_get"))
        self.write("store/index/index_scan.c", function("index_next", "index_get"))
        self.write("store/a.c", function("a_go", "index_get", "index_next"))
        self.write("store/b.c", function("b_go", "index_other"))
        self.assertEqual(measure.index_callers(self.tree()), ["store/a.c"])

    def test_a_header_is_also_seen_through_others(self):
        self.write("store/index/index.h", "")
        self.write("store/volume.h", '#include "store/index/index.h"\n')
        self.write("store/a.c", '#include "store/volume.h"\n')
        self.write("store/b.c", '#include "store/b.h"\n')
        self.write("store/index/index_read.c", '#include "store/index/index.h"\n')
        self.assertEqual(measure.sees_index(self.tree()), ["store/a.c"])

    def test_only_wraps_of_our_functions_count(self):
        self.write("store/a.c", function("a_go"))
        lists = "add(test_one VOLUME\n    WRAP fsync a_go)\nadd(test_two WRAP fsync)\nadd(test_three)\n"
        self.write("tests/unit/store.cmake", lists + "link(test_four PRIVATE -Wl,--wrap=a_go)\n")
        self.assertEqual(measure.wrapped_tests(self.tree()), ["test_one", "test_four"])

    def test_fields_are_found_through_variables_members_and_results(self):
        self.write("store/a.h", "struct tfs_chunk {\n    struct list node;\n    int row;\n    int dirty;\n};\n"
                   "struct flight {\n    struct tfs_chunk *chunk;\n    int row;\n};\n"
                   "struct tfs_chunk *a_get(int index);\n")
        for name, line, fields in (
            ("b", "return chunk->row;", {"row"}),
            ("c", "return flight->chunk->dirty;", {"dirty"}),
            ("d", "return a_get(f(1))->row;", {"row"}),
            ("e", "return list_entry(n, struct tfs_chunk, node);", {"node"}),
            ("f", "return flight->row + other->dirty;", None),
        ):
            with self.subTest(line=line):
                self.write(f"store/{name}.c", "int x(struct tfs_chunk *chunk, struct flight *flight)\n"
                           f"{{\n    {line}\n}}\n")
                users = measure.users_of_fields(self.tree())
                self.assertEqual(users["tfs_chunk"].get(f"store/{name}.c"), fields)

    def test_a_guest_is_a_file_of_another_room_that_names_what_is_not_open(self):
        self.write("store/inode/chunk.h", "struct tfs_chunk {\n    int index;\n    int row;\n};\n")
        body = "int x(struct tfs_chunk *chunk)\n{\n    return chunk->%s;\n}\n"
        for path, field in (("inode/a", "row"), ("file/b", "index"), ("file/c", "row"), ("d", "row")):
            self.write(f"store/{path}.c", body % field)
        guests = measure.guests_of_fields(self.tree())
        self.assertEqual(guests["tfs_chunk"], {"store/file/c.c": {"row"}, "store/d.c": {"row"}})
        self.assertEqual(len(list(measure.guest_problems(self.tree()))), 2)

    def test_a_guest_that_is_none_any_more_leaves_the_list(self):
        path = sorted(measure.GUESTS["tfs_chunk"])[0]
        self.write(path, function("a_go"))
        problems = list(measure.guest_problems(self.tree()))
        self.assertIn(f"{path} names no fields of struct tfs_chunk any more: take it off the list", problems)

    def test_calls_into_a_room_above_go_up(self):
        self.write("store/inode/a.c", function("a_go", "b_go", "c_go", "d_go"))
        self.write("store/file/b.c", function("b_go", "a_go"))
        self.write("store/read/c.c", function("c_go"))
        self.write("store/index/d.c", function("d_go", "volume_go"))
        self.write("store/volume.c", function("volume_go", "b_go", "d_go"))
        self.write("store/check/e.c", function("e_go", "volume_go", "a_go"))
        self.assertEqual(measure.upward_calls(self.tree()), [
            "store/index/d.c: volume_go() of store/volume",
            "store/inode/a.c: b_go() of store/file/b",
        ])

    def test_the_report_names_every_figure_and_what_it_counts(self):
        self.write("store/a.c", function("a_go", "b_go"))
        self.write("store/b.c", function("b_go", "a_go"))
        text = subprocess.run([LINT, "--root", self.folder.name, "--report"], capture_output=True, text=True).stdout
        for name in measure.LIMITS:
            self.assertIn(name, text)
        self.assertIn("2: store/a store/b", text)


if __name__ == "__main__":
    unittest.main()
