#!/usr/bin/python3
"""Checks that what documentation and comments name is there.

usage: references.py [--root DIR] FILE_OR_FOLDER...

In code spans, `path:function` must be a function that is defined in that file, and a path that begins with a
folder of the sources must exist. Functions are found as clang-format leaves them: from column 0 on, with the
brace alone in column 0.

"invariant 3 of ARCHITECTURE.md" must be in the numbered list of that page, and "invariant 3" without a page in
that of the same file. The list stands below the heading "Invariants", or in the comment with the line that ends
in "Invariants:".
"""

import argparse
import os
import re
import sys

FOLDERS = ("bench", "cmake", "control", "docs", "formats", "fs", "gpu", "mount-examples", "packaging", "store", "tests", "tools")
SPAN = re.compile(r"`([^`\n]+)`")
REFERENCE = re.compile(rf"((?:{'|'.join(FOLDERS)})/[\w./-]*)(?::(\w+))?")
PLACEHOLDER = re.compile(r"(?:^|[/_])[A-Z]+\.(?:c|h|cmake)$")  # `tests/unit/test_MODULE.c`
PAGE = "docs/ARCHITECTURE.md"
GAP = r"[\s*]+"  # a comment goes on in the next line behind a star
CITATION = re.compile(rf"\binvariants?{GAP}(\d+(?:(?:,|{GAP}and|{GAP}to){GAP}\d+)*)({GAP}of{GAP}ARCHITECTURE\.md)?", re.IGNORECASE)
LIST = re.compile(r"^## Invariants$.*?(?=^## |\Z)|\bInvariants\b[^.\n]*:\n.*?\*/", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"^ ?\*? ?(\d+)\. ", re.MULTILINE)
TEXTS = (".md", ".c", ".h", ".cu", ".cuh")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


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
    return None if defines(read(root, path), function) else f"{path} defines no {function}()"


def invariants_of(text):
    return [int(number) for found in LIST.findall(text) for number in ITEM.findall(found)]


def check_citations(root, document, text):
    """The same as check() for invariants."""
    for citation in CITATION.finditer(text):
        page = PAGE if citation.group(2) else document
        there = invariants_of(read(root, page) if os.path.exists(os.path.join(root, page)) else "")
        for number in re.findall(r"\d+", citation.group(1)):
            problem = None if int(number) in there else f"{page} has no invariant {number}"
            yield text.count("\n", 0, citation.start()) + 1, problem


def check(root, document):
    """Yields (line, problem), or (line, None) for a reference that holds."""
    text = read(root, document)
    yield from check_citations(root, document, text)
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        fenced ^= line.startswith("```")
        for span in [] if fenced else SPAN.findall(line):
            match = REFERENCE.fullmatch(span)
            if match and not PLACEHOLDER.search(match.group(1)):
                yield number, problem_with(root, match.group(1), match.group(2))


def expand(root, names):
    for name in names:
        if os.path.isdir(os.path.join(root, name)):
            for folder, folders, files in os.walk(os.path.join(root, name)):
                folders.sort()
                yield from (os.path.relpath(os.path.join(folder, file), root) for file in sorted(files) if file.endswith(TEXTS))
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
