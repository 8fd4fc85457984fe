#!/usr/bin/python3
"""Checks what the compiler and clang-format cannot: who may include what, sizes and names.

usage: layers.py [--root DIR] [FILE...]      without files: every C and CUDA source of the tree

The rules are docs/ARCHITECTURE.md's layers (arrows go down only) and the limits of the code style. The
sources are read as clang-format leaves them: a function's braces stand alone in column 0. That makes a
parser of a few lines enough; a file formatted otherwise fails lint_format.
"""

import argparse
import os
import re
import sys

SOURCE_FOLDERS = ("bench", "control", "fs", "gpu", "store", "tests", "tools")
SOURCE_ENDINGS = (".c", ".h", ".cu", ".cuh")

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 7
NESTING_MAX = 4
INDENT = 4

# Callbacks whose parameters a library dictates.
FOREIGN_SHAPES = {("control/metrics_server.c", "on_request")}

PUBLIC = (
    "store/store.h", "store/gc.h", "store/check/check.h", "store/check/scrub.h", "store/base/", "gpu/gpu.h",
    "fs/ioctl.h",
)

# Folder -> what its sources may include of ours. The longest folder that fits a file decides.
MAY_INCLUDE = {
    "store/base": ("store/base/",),
    "store/codec": ("store/base/", "store/codec/"),
    "store/segment": ("store/base/", "store/segment/"),
    "store/index": ("store/base/", "store/index/"),
    "store/check": ("store/",),
    "store": ("store/",),
    "gpu": ("store/base/", "gpu/"),
    "control": ("store/store.h", "store/gc.h", "store/check/scrub.h", "store/base/", "control/"),
    "fs": ("store/store.h", "store/base/", "control/", "fs/"),
    "tools": PUBLIC + ("tools/",),
    "tools/ctl": PUBLIC + ("control/", "tools/"),
    "bench": PUBLIC + ("bench/",),
    "bench/codec": ("store/base/", "store/codec/", "bench/"),
    "bench/index": ("store/base/", "store/index/", "bench/"),
    "bench/segment": ("store/base/", "store/segment/", "bench/"),
    "tests": ("",),
}

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
    "store/index": ("index_",),
    "store/check": ("check_",),
    "store": ("ns_", "file_", "chunk_", "cache_", "flush_", "commit_", "readahead_"),
    "gpu": ("gpu_",),
    "control": ("control_", "log_ring_"),
    "fs": ("ll_",),
    "tools/bench": ("bench_",),
    "tools/ctl": ("ctl_",),
    "tools/validate": ("validate_",),
}

KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined"}
NOT_A_NAME = re.compile(r"^(__\w+|[A-Z][A-Z0-9_]*)$")
BRANCH = re.compile(r"^( +)(?:\} )?(if|else|for|while|do|switch|list_for_each\w*)\b")


class Function:
    """A function's definition, as found in a file."""

    def __init__(self, name, header, first_line, last_line):
        self.name = name
        self.header = header
        self.first_line = first_line
        self.last_line = last_line

    def is_static(self):
        return re.search(r"\bstatic\b", self.header) is not None


def folder_rule(table, path):
    """The value of the longest folder of the table that holds the path, or None."""
    folders = [folder for folder in table if path.startswith(folder + "/")]
    return table[max(folders, key=len)] if folders else None


def blank_comments(text):
    """The text with comments, strings and characters blanked, and the lines of // comments.

    Newlines stay where they are, so that line numbers and indentation mean what they meant.
    """
    token = re.compile(
        r'/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
    )
    slashes = []

    def blank(match):
        piece = match.group(0)
        if piece.startswith("//"):
            slashes.append(text.count("\n", 0, match.start()) + 1)
        if piece[0] in "\"'":
            return piece[0] + " " * (len(piece) - 2) + piece[0]
        return re.sub(r"[^\n]", " ", piece)

    return token.sub(blank, text), slashes


def blank_directives(lines):
    """The lines with preprocessor directives and their continuations emptied."""
    result = []
    inside = False
    for line in lines:
        inside = inside or line.lstrip().startswith("#")
        result.append("" if inside else line)
        inside = inside and line.endswith("\\")
    return result


def matching_parenthesis(text, start):
    """The place of the parenthesis that closes the one at `start`, or -1."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return -1


def declarator(header):
    """The name and the text between the parentheses of a function's header, or None."""
    place = 0
    while True:
        match = re.compile(r"([A-Za-z_]\w*)\s*\(").search(header, place)
        if not match:
            return None
        end = matching_parenthesis(header, match.end() - 1)
        if end < 0 or match.group(1) in KEYWORDS:
            return None
        if not NOT_A_NAME.match(match.group(1)):
            return match.group(1), header[match.end() : end]
        place = end


def parameter_count(arguments):
    """How many parameters a list between parentheses declares."""
    depth = 0
    count = 1
    for character in arguments:
        depth += {"(": 1, ")": -1}.get(character, 0)
        count += character == "," and depth == 0
    return 0 if arguments.strip() in ("", "void") else count


def functions_of(lines):
    """All functions defined in blanked lines: their body's braces are in column 0."""
    functions = []
    header_start = None
    opened = None
    for number, line in enumerate(lines, 1):
        if opened is None and line == "{" and header_start is not None:
            opened = (header_start, " ".join(lines[header_start - 1 : number - 1]))
        elif opened is not None and line.startswith("}"):
            found = declarator(opened[1])
            if found:
                functions.append(Function(found[0], opened[1], opened[0], number))
            opened = header_start = None
        elif opened is None:
            ends = not line.strip() or line.rstrip().endswith((";", "}")) or line.startswith("}")
            header_start = None if ends else header_start or number
    return functions


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


def sources_of(root):
    """The paths, from the root, of every source that the rules are for."""
    for top in SOURCE_FOLDERS:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SOURCE_ENDINGS):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default_root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser.add_argument("--root", default=os.path.normpath(default_root))
    parser.add_argument("files", nargs="*", metavar="FILE", help="paths from the root")
    options = parser.parse_args()
    file_count = problem_count = 0
    for path in options.files or sources_of(options.root):
        with open(os.path.join(options.root, path), encoding="utf-8") as file:
            problems = file_problems(path, file.read(), options.root)
        for line, message in problems:
            print(f"{path}:{line}: {message}")
        file_count += 1
        problem_count += len(problems)
    print(f"{file_count} files, {problem_count} problems")
    return 1 if problem_count or not file_count else 0


if __name__ == "__main__":
    sys.exit(main())
