#!/usr/bin/python3
"""Goal: the layer lint finds each thing that it refuses, on the right line, and nothing in good code.

Method: small trees are written to a temporary folder and checked through the lint's own functions.
"""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LINT = os.path.join(ROOT, "tools", "dev", "layers.py")
sys.path.insert(0, os.path.dirname(LINT))

import layers  # noqa: E402
import measure  # noqa: E402

GOOD_SOURCE = '''/*
 * A file that keeps every rule. URLs such as https://example.org are no // comments.
 */
#include "store/segment/segment.h"

#include <errno.h>

#define SEGMENT_TWICE(x)  \\
    {                     \\
        segment_do(x, x); \\
    }

static const char text[] = "not // a comment, no {brace}";
static const char quote = '"';

struct segment_pair {
    int first;
    int second;
};

static int helper(int (*callback)(int, int, int), void *arg)
{
    return callback(1, 2, 3);
}

TFS_MUST_CHECK int segment_open(const char *path, int flags, int mode, void *a, void *b, void *c,
                                struct segment_pair **ret) TFS_REQUIRES(&lock)
{
    for (int i = 0; i < 3; i++) {
        while (flags) {
            if (mode) {
                if (a)
                    return helper(NULL, b);
            }
        }
    }
    return text[0] == quote;
}

void tfs_segment_close(void)
{
}
'''


def lines_of(count):
    return "".join(f"    x{number}();\n" for number in range(count))


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        headers = ("store/store.h", "store/check/check.h", "store/base/log.h", "store/codec/codec.h", "store/index/index.h")
        for path in headers + ("store/segment/segment.h", "gpu/gpu.h", "fs/ioctl.h", "fs/ll.h"):
            self.write(path, "")
        for name in ("volume", "report", "tables/row", "inode/inode", "file/file", "space/gc"):
            self.write(f"store/{name}.h", "")
        for path in ("formats/dtype.h", "formats/zip.h", "tools/common/console.h"):
            self.write(path, "")
        for name in ("system/process", "report/stats", "workload/meta_ops", "sweep/sweep_config", "command/common"):
            self.write(f"tools/bench/{name}.h", "")

    def write(self, path, text):
        full = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def problems(self, path, text):
        return layers.file_problems(path, text, self.folder.name)

    def assert_refused(self, path, text, line, part):
        found = self.problems(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertEqual(found[0][0], line)
        self.assertIn(part, found[0][1])

    def assert_accepted(self, path, text):
        self.assertEqual(self.problems(path, text), [])

    def test_good_code_has_no_problem(self):
        self.assert_accepted("store/segment/local_file.c", GOOD_SOURCE)

    def test_every_layer_may_include_the_layers_below_it(self):
        self.assert_accepted("store/codec/probe.c", '#include "store/base/log.h"\n')
        self.assert_accepted("store/volume.c", '#include "store/index/index.h"\n')
        self.assert_accepted("store/volume.c", '#include "store/file/file.h"\n')
        self.assert_accepted("store/file/file.c", '#include "store/index/index.h"\n')
        self.assert_accepted("store/file/file.c", '#include "store/inode/inode.h"\n#include "store/volume.h"\n')
        self.assert_accepted("store/check/check.c", '#include "store/index/index.h"\n')
        self.assert_accepted("tools/ctl/cmd_check.c", '#include "store/check/check.h"\n')
        self.assert_accepted("fs/ll_read.c", '#include "store/store.h"\n#include <fuse_lowlevel.h>\n')
        self.assert_accepted("tools/bench/main.c", '#include "gpu/gpu.h"\n#include "fs/ioctl.h"\n')
        self.assert_accepted("tools/bench/target/mount.c", '#include "tools/bench/system/process.h"\n')
        self.assert_accepted("tools/bench/command/meta.c", '#include "tools/bench/workload/meta_ops.h"\n')
        self.assert_accepted("formats/zip.c", '#include "store/base/log.h"\n')
        self.assert_accepted("gpu/gpu.c", '#include "formats/dtype.h"\n')
        self.assert_accepted("tools/bench/formats/npy.c", '#include "formats/zip.h"\n')
        self.assert_accepted("gpu/gpu_cuda.cu", '#include <cuda_runtime.h>\n')
        self.assert_accepted("store/index/rocksdb_open.c", "#include <rocksdb/c.h>\n")
        self.assert_accepted("tests/unit/test_codec.c", '#include "store/codec/codec.h"\n')

    def test_no_layer_may_include_what_is_above_or_beside_it(self):
        for path, header in (
            ("store/base/log.c", "store/codec/codec.h"),
            ("store/codec/probe.c", "store/index/index.h"),
            ("store/segment/segment.c", "store/codec/codec.h"),
            ("store/volume.c", "fs/ll.h"),
            ("store/volume.c", "store/check/check.h"),
            ("store/volume.c", "gpu/gpu.h"),
            ("store/file/file.c", "store/space/gc.h"),
            ("store/inode/inode.c", "store/file/file.h"),
            ("store/tables/row.c", "store/inode/inode.h"),
            ("store/index/index.c", "store/tables/row.h"),
            ("store/file/file.c", "store/report.h"),
            ("formats/zip.c", "store/store.h"),
            ("formats/zip.c", "gpu/gpu.h"),
            ("formats/zip.c", "tools/common/console.h"),
            ("store/volume.c", "formats/zip.h"),
            ("gpu/gpu.c", "formats/zip.h"),
            ("gpu/gpu.c", "store/store.h"),
            ("fs/ll_read.c", "store/index/index.h"),
            ("tools/bench/main.c", "store/codec/codec.h"),
            ("tools/bench/main.c", "fs/ll.h"),
            ("tools/bench/target/target.c", "tools/bench/command/common.h"),
            ("tools/bench/workload/checkpoint.c", "tools/bench/sweep/sweep_config.h"),
            ("tools/common/options.c", "tools/bench/command/common.h"),
            ("tools/validate/run.c", "tools/bench/report/stats.h"),
        ):
            with self.subTest(path=path, header=header):
                self.assert_refused(path, f'\n#include "{header}"\n', 2, "may not include")

    def test_libraries_stay_in_their_layer(self):
        self.assert_refused("store/file/file.c", "#include <fuse3/fuse_lowlevel.h>\n", 1, "libfuse")
        self.assert_refused("store/file/file.c", "#include <fuse.h>\n", 1, "libfuse")
        self.assert_refused("store/file/file.c", "#include <rocksdb/c.h>\n", 1, "RocksDB")
        self.assert_refused("tools/bench/main.c", "#  include <cuda_runtime.h>\n", 1, "CUDA")

    def test_a_header_of_ours_is_named_from_the_top_folder(self):
        self.assert_refused("store/base/log.c", '#include "log.h"\n', 1, "no path from the top")

    def test_a_test_may_name_a_header_beside_it(self):
        self.write("tests/unit/fixture.h", "")
        self.assert_accepted("tests/unit/test_a.c", '#include "fixture.h"\n')
        self.assert_refused("tests/mount/case.c", '#include "fixture.h"\n', 1, "no path from the top")

    def test_a_bench_of_a_part_sees_that_part_only(self):
        self.assert_accepted("bench/codec/bench_codec.c", '#include "store/codec/codec.h"\n')
        self.assert_refused("bench/codec/a.c", '#include "store/index/index.h"\n', 1, "may not include")

    def test_a_source_is_not_included(self):
        self.write("store/base/lock.c", "")
        self.assert_refused("store/base/log.c", '#include "store/base/lock.c"\n', 1, "is a source")

    def test_slash_comments_and_tabs_are_refused(self):
        self.assert_refused("fs/ll_a.c", "int a; // why\n", 1, "// comment")
        self.assert_refused("fs/ll_a.c", "\n\tint a;\n", 2, "tab")
        self.assert_accepted("fs/ll_a.c", '/* a // b */\nchar *a = "//";\n')

    def test_a_file_may_have_600_lines_and_not_one_more(self):
        self.assert_accepted("fs/ll_a.c", "int a;\n" * 600)
        self.assert_refused("fs/ll_a.c", "int a;\n" * 601, 601, "601 lines, limit 600")

    def test_a_function_may_have_70_lines_and_not_one_more(self):
        self.assert_accepted("fs/ll_a.c", f"void ll_a(void)\n{{\n{lines_of(67)}}}\n")
        long_one = f"\nvoid ll_a(void)\n{{\n{lines_of(68)}}}\n"
        self.assert_refused("fs/ll_a.c", long_one, 2, "71 lines, limit 70")

    def test_a_function_may_have_7_parameters_and_not_one_more(self):
        seven = ", ".join(f"int a{number}" for number in range(7))
        self.assert_accepted("fs/ll_a.c", f"void ll_a({seven})\n{{\n}}\n")
        eight = seven + ",\n          int (*f)(int, int)"
        self.assert_refused("fs/ll_a.c", f"void ll_a({eight})\n{{\n}}\n", 1, "8 parameters")

    def test_a_fifth_level_of_nesting_is_refused(self):
        def nested(levels):
            branches = [" " * 4 * level + f"if (a{level}) {{\n" for level in range(1, levels + 1)]
            ends = [" " * 4 * level + "}\n" for level in range(levels, 0, -1)]
            return "void ll_a(void)\n{\n" + "".join(branches + ends) + "}\n"

        self.assert_accepted("fs/ll_a.c", nested(4))
        self.assert_refused("fs/ll_a.c", nested(5), 7, "nests deeper than 4")

    def test_a_global_function_bears_its_modules_name(self):
        body = "(void)\n{\n}\n"
        self.assert_refused("store/index/rocksdb_open.c", f"int *open_all{body}", 1, "open_all")
        self.assert_refused("gpu/gpu_cpu.c", f"__attribute__((hot)) int sum{body}", 1, "'sum'")
        for name in ("index_open", "tfs_open"):
            self.assert_accepted("store/index/rocksdb_open.c", f"int {name}{body}")
        self.assert_accepted("store/codec/planes_avx2.c", f"void planes_split{body}")
        self.assert_accepted("store/cache.c", f"static void split{body}")
        self.assert_accepted("store/base/list.h", f"static inline void list_init{body}")
        self.assert_accepted("fs/main.c", f"int main{body}")
        self.assert_accepted("tests/mount/case.c", f"void check{body}")

    def test_a_global_function_may_bear_the_name_of_a_struct_of_its_header(self):
        self.write("store/row.h", "struct tfs_extent {\n};\nstruct frame_ref;\n")
        self.assert_accepted("store/row.c", "int extent_end(void)\n{\n}\n")
        self.assert_refused("store/row.c", "int frame_ref_equal(void)\n{\n}\n", 1, "frame_ref_equal")

    def test_functions_after_a_macro_and_in_cuda_are_seen(self):
        source = 'extern "C" {\n\n#define A \\\n    {\n\nvoid b(void)\n{\n}\n}\n'
        self.assert_refused("gpu/gpu_a.cu", source, 6, "'b'")
        kernel = "__global__ void __launch_bounds__(256) reduce(int a)\n{\n}\n"
        self.assert_accepted("gpu/gpu_a.cu", kernel)

    def test_the_program_fails_on_a_bad_tree_and_passes_a_good_one(self):
        self.write("fs/ll_a.c", "int a;\n")
        good = subprocess.run([LINT, "--root", self.folder.name], capture_output=True, text=True)
        self.assertEqual(good.returncode, 0, good.stdout)
        self.write("fs/ll_a.c", "int a; // why\n")
        bad = subprocess.run([LINT, "--root", self.folder.name], capture_output=True, text=True)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("fs/ll_a.c:1: a // comment", bad.stdout)

    def test_the_program_fails_on_a_figure_over_its_limit(self):
        limit = measure.LIMITS["files that call index_*"][0]
        self.write("store/index/index_read.c", "int index_get(void)\n{\n}\n")
        for number in range(limit + 1):
            self.write(f"store/file/file_{number}.c", "int file_a(void)\n{\n    return index_get();\n}\n")
        bad = subprocess.run([LINT, "--root", self.folder.name], capture_output=True, text=True)
        self.assertEqual(bad.returncode, 1)
        self.assertIn(f"files that call index_*: {limit + 1}", bad.stdout)

    def test_the_program_fails_where_there_is_nothing_to_check(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertEqual(subprocess.run([LINT, "--root", empty], capture_output=True).returncode, 1)


if __name__ == "__main__":
    unittest.main()
