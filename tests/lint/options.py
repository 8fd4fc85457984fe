#!/usr/bin/python3
"""Checks that --help, the man page, the README and the bash completion know the same options.

usage: options.py TENSORFS
"""

import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NAME = r"[a-z][a-z_]+"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def of_help(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(rf"^ +(?:-\w, )?--({NAME})", text, re.MULTILINE))


def of_man_page():
    heads = re.findall(r"^\.TP\n(.*)$", read("docs/man/tensorfs.8"), re.MULTILINE)
    heads = [re.sub(r"\\f[A-Z]|\\", "", head) for head in heads]
    names = [re.findall(rf"(?:^\.B |, |--|^\.BI )({NAME})", head.replace('" "', " ")) for head in heads]
    return {name for found in names for name in found}


def of_completion():
    command = f'. {ROOT}/packaging/tensorfs.bash 2>/dev/null; echo "$_tensorfs_options"'
    text = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
    return {word.rstrip("=") for word in text.split()}


def of_readme():
    table = read("README.md").partition("| option |")[2].partition("\n\n")[0]
    return set(re.findall(rf"^\| `({NAME})", table, re.MULTILINE))


def main(program):
    known = of_help(program)
    problems = []
    if len(known) < 10:
        problems.append(f"--help names only {sorted(known)}")
    everywhere = known - {"help", "version", "foreground", "debug", "nonempty"}
    for place, names in (("docs/man/tensorfs.8", of_man_page()), ("completion", of_completion())):
        problems += [f"{place} lacks '{name}'" for name in sorted(everywhere - names)]
    for place, names in (("completion", of_completion()), ("README.md", of_readme())):
        problems += [f"{place} has '{name}', tensorfs has not" for name in sorted(names - known)]
    print("\n".join(problems) or f"{len(known)} options agree")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1]))
