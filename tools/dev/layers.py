#!/usr/bin/python3
"""Checks what the compiler and clang-format cannot: who may include what, sizes and names.

usage: layers.py [--root DIR] [FILE...]      without files: every C and CUDA source of the tree, and the
                                             limits of measure.py
       layers.py [--root DIR] --report       what measure.py has counted

The rules are docs/ARCHITECTURE.md's layers (arrows go down only) and the limits of the code style.
"""

import argparse
import os
import re
import sys

from measure import limit_problems, report
from sources import (
    STORE_ENGINES, STORE_ROOMS, blank_comments, blank_directives, declarator, functions_of, parameter_count, sources_of,
)

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 7
NESTING_MAX = 4
INDENT = 4

# Callbacks whose parameters a library dictates.
FOREIGN_SHAPES = {("control/metrics_server.c", "on_request")}

PUBLIC = (
    "store/store.h", "store/report.h", "store/space/gc.h", "store/check/check.h", "store/check/scrub.h", "store/base/",
    "formats/", "gpu/gpu.h", "fs/ioctl.h",
)

# The rooms of tensorfs-bench, lower ones first: each may include what stands before it.
BENCH_ROOMS = ("system", "json", "model", "formats", "target", "report", "workload", "sweep", "command")

# Folder -> what its sources may include of ours. The longest folder that fits a file decides.
MAY_INCLUDE = {
    "store/base": ("store/base/",),
    "store/codec": ("store/base/", "store/codec/"),
    "store/segment": ("store/base/", "store/segment/"),
    "store/index": ("store/base/", "store/index/"),
    "store/check": ("store/",),
    "store": ("store/",),
    "formats": ("store/base/", "formats/"),
    "gpu": ("store/base/", "formats/dtype.h", "gpu/"),
    "control": ("store/store.h", "store/report.h", "store/space/gc.h", "store/check/scrub.h", "store/base/", "control/"),
    "fs": ("store/store.h", "store/base/", "control/", "fs/"),
    "tools": PUBLIC + ("tools/",),
    "tools/common": ("store/base/", "tools/common/"),
    "tools/validate": PUBLIC + ("tools/common/", "tools/validate/"),
    "tools/ctl": PUBLIC + ("control/", "tools/"),
    "bench": PUBLIC + ("bench/",),
    "bench/codec": ("store/base/", "store/codec/", "bench/"),
    "bench/index": ("store/base/", "store/index/", "bench/"),
    "bench/segment": ("store/base/", "store/segment/", "bench/"),
    "tests": ("",),
}

# Every room sees the public header, and the struct that holds the parts, as pointers mostly.
SEEN_BY_ROOMS = ("store/store.h", "store/volume.h")

MAY_INCLUDE.update({
    f"store/{room}": STORE_ENGINES + SEEN_BY_ROOMS + tuple(f"store/{below}/" for below in STORE_ROOMS[: height + 1])
    for height, room in enumerate(STORE_ROOMS)
})

MAY_INCLUDE.update({
    f"tools/bench/{room}": PUBLIC + ("tools/common/", *(f"tools/bench/{below}/" for below in BENCH_ROOMS[: height + 1]))
    for height, room in enumerate(BENCH_ROOMS)
})

# A folder inside of what the rule above allows that is none of its users: it stands on top.
MAY_NOT_INCLUDE = {"store": ("store/check/",), "store/check": ()}

# Headers of others that one layer hides from all the rest.
FOREIGN = (
    (re.compile(r"(fuse|fuse3/|fuse_).*\.h$"), ("fs/", "bench/nullfs/", "tests/"), "libfuse"),
    (re.compile(r"rocksdb/"), ("store/index/", "tests/unit/"), "RocksDB"),
    (re.compile(r"(cuda|cublas|nvml|cub/|thrust/|cooperative_groups)"), ("gpu/", "tests/gpu/"), "CUDA"),
)

# Prefixes of non-static functions beside tfs_, the name of the file's module and the structs of its header.
FOLDER_PREFIXES = {
    "store/base": (),
    "store/codec": ("codec_", "frame_"),
    "store/segment": ("segment_", "segments_"),
    "store/index": ("index_", "rocks_"),
    "store/check": ("check_",),
    "store": ("ns_", "file_", "chunk_", "cache_", "flush_", "commit_", "readahead_"),
    "formats": ("format_",),
    "gpu": ("gpu_",),
    "control": ("control_", "log_ring_"),
    "fs": ("ll_",),
    "tools/bench": ("bench_",),
    "tools/ctl": ("ctl_",),
    "tools/validate": ("validate_",),
}

BRANCH = re.compile(r"^( +)(?:\} )?(if|else|for|while|do|switch|list_for_each\w*)\b")


def folder_rule(table, path):
    """The value of the longest folder of the table that holds the path, or None."""
    folders = [folder for folder in table if path.startswith(folder + "/")]
    return table[max(folders, key=len)] if folders else None


def include_problems(path, text, root):
    """Includes that point the wrong way, by line."""
    allowed = folder_rule(MAY_INCLUDE, path)
    refused = folder_rule(MAY_NOT_INCLUDE, path) or ()
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
        if not match:
            continue
        quote, name = match.groups()
        for pattern, folders, library in FOREIGN:
            if pattern.match(name) and not path.startswith(folders):
                yield number, f"only {' '.join(folders)} may include {library}'s <{name}>"
        if quote != '"':
            continue
        if name.endswith(".c") and not path.startswith("tests/"):
            yield number, f"'{name}' is a source, not a header"
        if path.startswith("tests/") and os.path.exists(os.path.join(root, os.path.dirname(path), name)):
            continue
        if not any(os.path.exists(os.path.join(root, name + end)) for end in ("", ".in")):
            yield number, f"'{name}' is no path from the top folder"
        elif allowed is not None and not name.startswith(allowed):
            yield number, f"'{path}' may not include '{name}'; only {' '.join(allowed)}"
        elif name.startswith(tuple(refused)):
            yield number, f"'{path}' may not include '{name}', which stands on top of it"


def objects_of(path, root):
    """The prefixes that come from the structs which the header beside a source defines."""
    header = os.path.join(root, os.path.splitext(path)[0] + ".h")
    if not os.path.exists(header):
        return ()
    with open(header, encoding="utf-8") as file:
        names = re.findall(r"^struct (?:tfs_)?(\w+) \{$", file.read(), re.MULTILINE)
    return tuple(name + "_" for name in names)


def name_problem(path, function, objects):
    """What is wrong with a function's name, or None."""
    if path.startswith("tests/") or function.is_static() or function.name == "main":
        return None
    if "inline" in function.header.split() or "__global__" in function.header:
        return None
    module = re.split(r"[_.]", os.path.basename(path))[0] + "_"
    prefixes = ("tfs_", module) + tuple(folder_rule(FOLDER_PREFIXES, path) or ()) + objects
    if function.name.startswith(prefixes):
        return None
    return f"'{function.name}' is not static and starts with none of {' '.join(prefixes)}"


def function_problems(path, function, lines, objects):
    """What is wrong with one function, by line."""
    size = function.last_line - function.first_line + 1
    if size > FUNCTION_LINES_MAX:
        yield function.first_line, f"'{function.name}' has {size} lines, limit {FUNCTION_LINES_MAX}"
    count = parameter_count(declarator(function.header)[1])
    if count > PARAMETERS_MAX and (path, function.name) not in FOREIGN_SHAPES:
        yield function.first_line, f"'{function.name}' has {count} parameters, limit {PARAMETERS_MAX}"
    for number in range(function.first_line, function.last_line):
        match = BRANCH.match(lines[number - 1])
        if match and len(match.group(1)) > NESTING_MAX * INDENT:
            yield number, f"'{function.name}' nests deeper than {NESTING_MAX}"
            break
    problem = name_problem(path, function, objects)
    if problem:
        yield function.first_line, problem


def file_problems(path, text, root):
    """All problems of one file as (line, message)."""
    blanked, slashes = blank_comments(text)
    problems = [(number, "a // comment; write /* */") for number in slashes]
    problems += [(n, "a tab") for n, line in enumerate(text.split("\n"), 1) if "\t" in line]
    count = text.count("\n")
    if count > FILE_LINES_MAX:
        problems.append((FILE_LINES_MAX + 1, f"{count} lines, limit {FILE_LINES_MAX}"))
    problems += include_problems(path, text, root)
    lines = blank_directives(blanked.split("\n"))
    objects = objects_of(path, root)
    for function in functions_of(lines):
        problems += function_problems(path, function, lines, objects)
    return sorted(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default_root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser.add_argument("--root", default=os.path.normpath(default_root))
    parser.add_argument("files", nargs="*", metavar="FILE", help="paths from the root")
    parser.add_argument("--report", action="store_true", help="print the figures of measure.py, and end")
    options = parser.parse_args()
    if options.report:
        return report(options.root)
    file_count = problem_count = 0
    for path in options.files or sources_of(options.root):
        with open(os.path.join(options.root, path), encoding="utf-8") as file:
            problems = file_problems(path, file.read(), options.root)
        for line, message in problems:
            print(f"{path}:{line}: {message}")
        file_count += 1
        problem_count += len(problems)
    for message in [] if options.files else limit_problems(options.root):
        print(message)
        problem_count += 1
    print(f"{file_count} files, {problem_count} problems")
    return 1 if problem_count or not file_count else 0


if __name__ == "__main__":
    sys.exit(main())
