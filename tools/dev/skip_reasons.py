#!/usr/bin/python3
"""Prints which tests skipped themselves and why, from the JUnit file that ctest wrote.

usage: skip_reasons.py RESULTS.xml

ctest names the skipped tests but keeps what they said to itself. A test says why in its last line.
"""

import sys
import xml.etree.ElementTree


def reason(case):
    lines = [line.strip() for line in (case.findtext("system-out") or "").splitlines()]
    lines = [line for line in lines if line]
    return lines[-1] if lines else "no reason given"


def main(path):
    cases = xml.etree.ElementTree.parse(path).getroot().iter("testcase")
    skipped = [case for case in cases if case.find("skipped") is not None]
    if skipped:
        print(f"\n{len(skipped)} skipped:")
    for case in skipped:
        print(f"  {case.get('name')}: {reason(case)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
