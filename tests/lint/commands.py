#!/usr/bin/python3
"""Checks that --help, the man pages and the bash completion of a tool know the same commands and options.

usage: commands.py PROGRAM MAN_PAGE...      tensorfsctl or tensorfs-bench, and its pages
"""

import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COMPLETION = os.path.join(ROOT, "packaging", "tools.bash")
OPTION_LINE = re.compile(r"^ +(?:(-\w), )?(--[a-z-]+)")
COMMON = {"--help", "--version"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def commands_of_help(program):
    return re.findall(r"^  ([a-z][a-z-]*)  +\S", run(program, "--help"), re.MULTILINE)


def options_of_help(program, *command):
    """Long option -> its letter or None, of a command's own and of those that all share."""
    own, _, common = run(program, *command, "--help").partition("\nCommon options:\n")
    return [{match[2]: match[1] for match in map(OPTION_LINE.match, text.splitlines()) if match}
            for text in (own, common)]


def plain(line):
    """A line of a man page as it is read: no fonts, no macros."""
    line = re.sub(r"\\f[A-Z]|\\f\(..", "", line).replace("\\-", "-")
    macro, _, rest = line.partition(" ")
    if re.fullmatch(r"\.(BR|RB|BI|IB|IR|RI)", macro):
        return "".join(shlex.split(rest))
    return " ".join(shlex.split(rest)) if macro in (".B", ".I") else line


class Page:
    """The text of man pages, and of it what each command's passages say."""

    def __init__(self, program, paths):
        self.program = program
        self.lines = []
        self.own = {}  # command -> the page that has its name
        for path in paths:
            with open(path, encoding="utf-8") as file:
                lines = [plain(line) for line in file.read().splitlines()]
            self.own[os.path.basename(path)[len(program) + 1:].partition(".")[0]] = lines
            self.lines += lines
        self.text = "\n".join(self.lines)

    def passages(self, command):
        """The command's synopsis, the paragraph that it heads, the section or page that has its name."""
        found, end = list(self.own.get(command, [])), None
        for before, line in zip([""] + self.lines, self.lines):
            if end and end.match(line):
                end = None
            if line == f".SS {command}":
                end = re.compile(r"\.S[SH] ")
            elif before == ".TP" and line.split(" ")[0] == command:
                end = re.compile(r"\.(TP|SH)")
            elif re.match(rf"{self.program} {command}( |$)", line):
                end = re.compile(r"\.(br|SH)")
            if end:
                found.append(line)
        return "\n".join(found)


def names(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def completed(program, *words):
    """What bash offers behind these words, the last of which is not finished."""
    script = """. "$0" 2>/dev/null; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _tensorfs_tool "$1" "${!#}" "${COMP_WORDS[$# - 2]}" 2>/dev/null; printf '%s\n' "${COMPREPLY[@]}" """
    return {word.rstrip("=") for word in run("bash", "-c", script, COMPLETION, program, *words).split()}


def check_command(program, command, page):
    own, common = options_of_help(program, command)
    passages = page.passages(command)
    if not passages:
        yield f"no man page tells of the command '{command}'"
    for option, letter in own.items():
        if option not in names(passages) and option not in COMMON:
            yield f"the man page does not say that '{command}' has {option}"
        if letter and not re.search(rf"(?<![\w-]){letter}, {option}(?![\w-])", page.text):
            yield f"no man page has '{letter}, {option}' of '{command}'"
    offered = completed(program, command, "--")
    wanted = set(own) | set(common)
    if offered != wanted:
        yield f"completion of '{command}' differs in {sorted(offered ^ wanted)}"


def problems(program, page):
    commands = commands_of_help(program)
    if len(commands) < 5:
        yield f"--help names only {commands}"
    if completed(program, "") != set(commands):
        yield f"completion offers the commands {sorted(completed(program, ''))}"
    top = options_of_help(program)[0]
    if completed(program, "--") != set(top):
        yield f"completion offers {sorted(completed(program, '--'))} before a command"
    known = set(top)
    for command in commands:
        yield from check_command(program, command, page)
        known.update(*options_of_help(program, command))
    for option in sorted(known - names(page.text)):
        yield f"no man page names {option}"
    for option in sorted(names(page.text) - known):
        yield f"a man page names {option}, which no command has"


def main(program, *paths):
    found = list(problems(program, Page(os.path.basename(program), paths)))
    print("\n".join(found) or f"{os.path.basename(program)}: {len(commands_of_help(program))} commands agree")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sys.exit(main(*sys.argv[1:]))
