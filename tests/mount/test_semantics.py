#!/usr/bin/env python3
"""docs/SEMANTICS.md and the cases must know each other: each sentence names tests that exist, and
each case stands behind a sentence."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEMANTICS = ROOT / "docs" / "SEMANTICS.md"
GROUPS = ("mount", "model", "crash", "clients", "conform", "fault")


def cases():
    """'group.name' -> the file."""
    found = {}
    for group in GROUPS:
        for path in sorted((ROOT / "tests" / group / "cases").iterdir()):
            if path.suffix in (".c", ".sh", ".py"):
                found[f"{group}.{path.stem}"] = path
    return found


def checks_of(path):
    """The checks within a case in C; other cases are one check."""
    return set(re.findall(r"CASE_TEST\((\w+)\)", path.read_text(encoding="utf-8")))


def sentences(text):
    """(line number, sentence, tests) of each row of a table."""
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 2 or cells[0] == "tensorfs promises":
            continue
        if not set(cells[0]) <= {"-"}:
            yield number, cells[0], re.findall(r"`([^`]+)`", cells[1])


def problems():
    known = cases()
    named = set()
    rows = list(sentences(SEMANTICS.read_text(encoding="utf-8")))
    if len(rows) < 20:
        yield f"{SEMANTICS} has only {len(rows)} sentences"
    for number, sentence, tests in rows:
        if not tests:
            yield f"line {number}: no test beside '{sentence}'"
        for test in tests:
            case, _, check = test.partition("/")
            named.add(case)
            if case not in known:
                yield f"line {number}: there is no case {case}"
            elif check and check not in checks_of(known[case]):
                yield f"line {number}: {case} has no check {check}"
    for case in sorted(known.keys() - named):
        yield f"{case} stands behind no sentence"


def main():
    found = list(problems())
    print("\n".join(found) or "every sentence has its tests, and every case its sentence")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
