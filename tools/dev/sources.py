"""The sources of the tree, read without a compiler.

They are read as clang-format leaves them: a function's braces stand alone in column 0. That makes a parser
of a few lines enough; a file formatted otherwise fails lint_format.
"""

import os
import re

SOURCE_FOLDERS = ("bench", "control", "formats", "fs", "gpu", "store", "tests", "tools")
SOURCE_ENDINGS = (".c", ".h", ".cu", ".cuh")

# The rooms of the store above its engines, lower ones first: each may include, and call, what stands before it.
STORE_ROOMS = ("tables", "txn", "read", "inode", "writeback", "file", "names", "space")
STORE_ENGINES = ("store/base/", "store/codec/", "store/segment/", "store/index/")

KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined"}
NOT_A_NAME = re.compile(r"^(__\w+|[A-Z][A-Z0-9_]*)$")


class Function:
    """A function's definition, as found in a file."""

    def __init__(self, name, header, first_line, last_line):
        self.name = name
        self.header = header
        self.first_line = first_line
        self.last_line = last_line

    def is_static(self):
        return re.search(r"\bstatic\b", self.header) is not None


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


def sources_of(root):
    """The paths, from the root, of every source that the rules are for."""
    for top in SOURCE_FOLDERS:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SOURCE_ENDINGS):
                    yield os.path.relpath(os.path.join(folder, name), root)
