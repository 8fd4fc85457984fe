#!/usr/bin/python3
"""Checks that what the documentation names is there.

usage: references.py [--root DIR] FILE_OR_FOLDER...

In code spans, `path:function` must be a function that is defined in that file, and a path that begins with a
folder of the sources must exist. Functions are found as clang-format leaves them: from column 0 on, with the
brace alone in column 0.
"""

import argparse
import os
import re
import sys

FOLDERS = ("bench", "cmake", "control", "docs", "formats", "fs", "gpu", "mount-examples", "packaging", "store", "tests", "tools")
SPAN = re.compile(r"`([^`\n]+)`")
REFERENCE = re.compile(rf"((?:{'|'.join(FOLDERS)})/[\w./-]*)(?::(\w+))?")


def defines(text, function):
    return re.search(rf"^[A-Za-z_][^;{{}}=]*\b{function}\([^;{{}}]*\n\{{", text, re.MULTILINE) is not None


def problem_with(root, path, function):
    full = os.path.join(root, path)
    if not os.path.exists(full):
        return f"there is no {path}"
    if not function:
        return None
    if not os.path.isfile(full):
        return f"{path} is no file"
    with open(full, encoding="utf-8") as file:
        return None if defines(file.read(), function) else f"{path} defines no {function}()"


def check(root, document):
    """Yields (line, problem), or (line, None) for a reference that holds."""
    with open(os.path.join(root, document), encoding="utf-8") as file:
        lines = file.read().split("\n")
    fenced = False
    for number, line in enumerate(lines, 1):
        fenced ^= line.startswith("```")
        for span in [] if fenced else SPAN.findall(line):
            match = REFERENCE.fullmatch(span)
            if match:
                yield number, problem_with(root, match.group(1), match.group(2))


def expand(root, names):
    for name in names:
        if os.path.isdir(os.path.join(root, name)):
            yield from (f"{name}/{page}" for page in sorted(os.listdir(os.path.join(root, name))) if page.endswith(".md"))
        else:
            yield name


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("documents", nargs="+")
    arguments = parser.parse_args()
    count = problems = 0
    for document in expand(arguments.root, arguments.documents):
        for number, problem in check(arguments.root, document):
            count += 1
            if problem:
                problems += 1
                print(f"{document}:{number}: {problem}")
    print(f"{count} references, {problems} of them wrong")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
