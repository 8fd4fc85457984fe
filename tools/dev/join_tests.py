#!/usr/bin/python3
"""Joins the tests of several build trees into one list, so that one ctest runs them and counts them.

usage: join_tests.py OUT_DIR EXCLUDED_LABELS (NAME BUILD_DIR LABELS)...

Writes OUT_DIR/CTestTestfile.cmake. A test TEST of the build tree NAME is called NAME.TEST there. LABELS and
EXCLUDED_LABELS are regular expressions as for ctest -L and -LE; an empty one is left out.
"""

import json
import os
import subprocess
import sys

# Properties whose values are names that must be kept apart between build trees.
TREE_LOCAL = {"DEPENDS", "FIXTURES_SETUP", "FIXTURES_CLEANUP", "FIXTURES_REQUIRED"}


def bracket(text):
    """A CMake argument that means exactly `text`, whatever is in it."""
    fence = "="
    while f"]{fence}]" in text:
        fence += "="
    return f"[{fence}[{text}]{fence}]"


def property_text(name, value, tree):
    """The text of one property's value as ctest reads it from a test file."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if not isinstance(value, list):
        return str(value)
    if name in TREE_LOCAL:
        value = [f"{tree}.{item}" for item in value]
    return ";".join(str(item).replace(";", "\\;") for item in value)


def test_lines(test, tree):
    """The lines of a test file for one test of ctest's JSON list."""
    if not test.get("command"):
        raise SystemExit(f"join_tests: test '{test['name']}' of '{tree}' has no program: not built?")
    name = bracket(f"{tree}.{test['name']}")
    lines = [f"add_test({name} {' '.join(bracket(word) for word in test['command'])})"]
    for entry in test.get("properties", []):
        value = bracket(property_text(entry["name"], entry["value"], tree))
        lines.append(f"set_tests_properties({name} PROPERTIES {entry['name']} {value})")
    return lines


def tests_of(build_dir, labels, excluded):
    """ctest's own list of the selected tests of a build tree."""
    command = ["ctest", "--test-dir", build_dir, "--show-only=json-v1"]
    command += ["-L", labels] if labels else []
    command += ["-LE", excluded] if excluded else []
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout)["tests"]


def main(arguments):
    if len(arguments) < 5 or len(arguments) % 3 != 2:
        raise SystemExit(__doc__)
    out_dir, excluded = arguments[:2]
    lines = []
    for index in range(2, len(arguments), 3):
        tree, build_dir, labels = arguments[index : index + 3]
        for test in tests_of(build_dir, labels, excluded):
            lines += test_lines(test, tree)
    os.makedirs(out_dir, exist_ok=True)
    with open(os.path.join(out_dir, "CTestTestfile.cmake"), "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
