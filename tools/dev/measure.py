"""How the parts of the tree hang together, as figures: `layers.py --report` prints them, with what they count.

- circles: modules that call each other, directly or through others. A module is a .c with its .h; it calls
  another when it names a non-static function of it.
- callers of index_*: files of the store outside of store/index that name a function of it.
- files that see index.h: of the store's sources above its engines, how many include it, also through others.
- wrapped tests: unit tests that have the linker put their own function in the place of one of ours.
- calls that go up: from a room of the store into one that stands above it, past the includes.
- guests: an inode in memory is three structs, whose fields belong to store/inode, but for those that never
  change. Guests are the files of other rooms that name the others still. Types are followed through
  declarations and members, so `flight->chunk->row` is a field of struct tfs_chunk.

Each figure has a limit, which may only be lowered, and an aim, below which it needs not go.
"""

import os
import re

from sources import (
    STORE_ENGINES, STORE_ROOMS, blank_comments, blank_directives, functions_of, matching_parenthesis, sources_of,
)

MEASURED_FOLDERS = ("store", "formats", "fs", "tools")
INDEX_HEADER = "store/index/index.h"

# Figure -> limit, aim. Who makes a figure smaller lowers its limit; nobody raises one.
LIMITS = {
    "largest circle in store": (4, 4),
    "largest circle in formats": (1, 1),
    "largest circle in fs": (1, 1),
    "largest circle in tools": (1, 1),
    "files that call index_*": (33, 6),
    "percent of files that see index.h": (40, 25),
    "unit tests with --wrap": (6, 2),
    "calls that go up in store": (1, 0),
}

FIELDS_ROOM = "store/inode/"

# Struct -> the fields that everybody may name: they never change, say themselves who may change them, or are
# structs of another module.
OPEN_FIELDS = {
    "tfs_chunk": {"index", "inode"},
    "tfs_data": {"volume", "inode", "geometry", "compression", "allocation", "readahead"},
    "tfs_inode": {"lock", "number", "type", "target", "data", "record"},
}

# Struct -> its guests. The lists may only get shorter.
GUESTS = {
    "tfs_chunk": {
        "store/file/file_read.c",
        "store/writeback/encode.c",
        "store/writeback/flush.c",
        "store/writeback/commit_image.c",
        "store/writeback/stuck.c",
    },
    "tfs_data": {
        "store/file/committer.c",
        "store/file/copy.c",
        "store/file/file.c",
        "store/file/file_write.c",
        "store/file/resize.c",
        "store/writeback/commit.c",
        "store/writeback/flush.c",
        "store/writeback/commit_image.c",
        "store/writeback/stuck.c",
    },
    "tfs_inode": {
        "store/names/xattr.c",
        "store/writeback/commit_image.c",
    },
}

IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
NO_MEMBER = re.compile(r"(?<![.>\w])[A-Za-z_]\w*\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
WRAP = re.compile(r"--wrap=(\w+)")
DECLARED = re.compile(r"\bstruct\s+(\w+)\s+(?:\*|const\s+)*(\w+)\b(?!\s*\()((?:\s*,\s*(?!struct\b|const\b)\**\s*\w+)*)")
RETURNED = re.compile(r"\bstruct\s+(\w+)\s*\*\s*(\w+)\s*\(")
ENTRY_OF = re.compile(r"\bstruct\s+(\w+)\s*,\s*(\w+)\s*\)")
MEMBER = re.compile(r"\s*(?:->|\.)\s*([A-Za-z_]\w*)")


class Source:
    """A file as the measures need it."""

    def __init__(self, root, path):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        blanked, _ = blank_comments(text)
        lines = blank_directives(blanked.split("\n"))
        self.path = path
        self.includes = INCLUDE.findall(text)
        self.code = "\n".join(lines)
        self.functions = functions_of(lines)
        self.names = set(NO_MEMBER.findall(self.code)) - {"main"}


class Tree:
    """The sources of the measured folders, and the tests."""

    def __init__(self, root):
        self.root = root
        paths = [path for path in sources_of(root) if path.startswith(MEASURED_FOLDERS)]
        self.sources = {path: Source(root, path) for path in paths}

    def below(self, folder):
        return [source for path, source in self.sources.items() if path.startswith(folder)]

    def seen_from(self, path, seen=None):
        """The headers that a source includes, also through others."""
        seen = set() if seen is None else seen
        for name in self.sources[path].includes if path in self.sources else ():
            if name not in seen:
                seen.add(name)
                self.seen_from(name, seen)
        return seen


def module_of(path):
    return os.path.splitext(path)[0]


def homes_of_functions(sources):
    """Function -> the modules that define it, of all that are not static."""
    homes = {}
    for source in sources:
        for function in source.functions:
            if not function.is_static():
                homes.setdefault(function.name, set()).add(module_of(source.path))
    return homes


def calls_of(sources):
    """Module -> the other modules of which it names functions."""
    homes = homes_of_functions(sources)
    calls = {}
    for source in sources:
        module = module_of(source.path)
        called = calls.setdefault(module, set())
        if source.path.endswith(".c"):
            for name in source.names & homes.keys():
                called |= homes[name] - {module}
    return calls


def circles_of(calls):
    """The sets of modules that reach each other, largest first."""
    reach = {module: {module} for module in calls}
    changed = True
    while changed:
        changed = False
        for module, called in calls.items():
            wider = reach[module].union(*(reach[name] for name in called))
            changed = changed or len(wider) > len(reach[module])
            reach[module] = wider
    circles = {frozenset(m for m in reach[module] if module in reach[m]) for module in calls}
    return sorted((sorted(c) for c in circles if len(c) > 1), key=lambda c: (-len(c), c))


def height_of(path):
    """How high a file of the store stands: its engines, the rooms, the files at the top, check."""
    folder = path.split("/")[1] if path.count("/") > 1 else None
    if folder in STORE_ROOMS:
        return STORE_ROOMS.index(folder)
    if path.startswith(STORE_ENGINES):
        return -1
    return len(STORE_ROOMS) + (folder is not None)


def upward_calls(tree):
    """The calls of the store that go up, as texts."""
    sources = tree.below("store/")
    homes = homes_of_functions(sources)
    calls = []
    for source in sources:
        for name in sorted(source.names & homes.keys()) if source.path.endswith(".c") else ():
            for home in sorted(homes[name]):
                if height_of(home) > height_of(source.path):
                    calls.append(f"{source.path}: {name}() of {home}")
    return calls


def index_callers(tree):
    """The store's files outside of store/index that call it."""
    names = homes_of_functions(tree.below("store/index/")).keys()
    store = [source for source in tree.below("store/") if not source.path.startswith("store/index/")]
    return [source.path for source in store if source.names & names]


def files_above_the_engines(tree):
    paths = [path for path in tree.sources if path.startswith("store/") and path.endswith(".c")]
    return [path for path in paths if not path.startswith(STORE_ENGINES)]


def sees_index(tree):
    return [path for path in files_above_the_engines(tree) if INDEX_HEADER in tree.seen_from(path)]


def wrapped_tests(tree):
    """The unit tests that wrap functions of ours, from the lists of tests/unit."""
    ours = homes_of_functions(tree.sources.values()).keys()
    tests = []
    folder = os.path.join(tree.root, "tests", "unit")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(".cmake"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = re.sub(r"#.*", "", file.read())
            for test, arguments in re.findall(r"\b\w+\((test_\w+)([^()]*)\)", text):
                wrapped = set(WRAP.findall(arguments))
                for group in re.findall(r"\bWRAP((?:\s+[a-z_0-9]+)+)", arguments):
                    wrapped |= set(group.split())
                if wrapped & ours:
                    tests.append(test)
    return tests


def closing_brace(text, start):
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return len(text)


def declared_in(text):
    """Name -> struct, of what a piece of code declares."""
    names = {}
    for struct, first, others in DECLARED.findall(text):
        for name in [first] + IDENTIFIER.findall(others):
            names[name] = struct
    return names


def members_of_structs(sources):
    """Struct -> its members that are structs themselves, or point to one."""
    structs = {}
    for source in sources:
        for match in re.finditer(r"\bstruct (\w+) \{", source.code):
            end = closing_brace(source.code, match.end() - 1)
            members = structs.setdefault(match.group(1), {})
            members.update(declared_in(source.code[match.end() : end]))
            for inner in re.finditer(r"\bstruct (\w+) \{", source.code[match.end() : end]):
                after = source.code[closing_brace(source.code, match.end() + inner.end() - 1) + 1 :]
                name = re.match(r"\s*\**(\w+)", after)
                if name:
                    members[name.group(1)] = inner.group(1)
    return structs


def fields_named(code, variables, returned, members):
    """(struct, field) of each member that a piece of code names."""
    for match in IDENTIFIER.finditer(code):
        struct = variables.get(match.group(0))
        place = match.end()
        if code[place : place + 1] == "(" and match.group(0) in returned:
            struct = returned[match.group(0)]
            place = matching_parenthesis(code, place) + 1
        while struct:
            if code[place : place + 1] == "[":
                place = code.index("]", place) + 1
                continue
            member = MEMBER.match(code, place)
            if not member:
                break
            yield struct, member.group(1)
            struct = members.get(struct, {}).get(member.group(1))
            place = member.end()
    yield from ENTRY_OF.findall(code)


def users_of_fields(tree):
    """Struct -> file -> the fields of it that the file names."""
    sources = tree.below("store/")
    members = members_of_structs(sources)
    returned = {}
    for source in sources:
        returned.update({name: struct for struct, name in RETURNED.findall(source.code)})
    users = {struct: {} for struct in OPEN_FIELDS}
    for source in sources:
        lines = source.code.split("\n")
        for function in source.functions:
            code = "\n".join(lines[function.first_line - 1 : function.last_line])
            for struct, field in fields_named(code, declared_in(code), returned, members):
                if struct in users:
                    users[struct].setdefault(source.path, set()).add(field)
    return users


def guests_of_fields(tree):
    """Struct -> file of another room -> the fields that belong to store/inode and that it names."""
    guests = {}
    for struct, users in users_of_fields(tree).items():
        closed = {path: fields - OPEN_FIELDS[struct] for path, fields in users.items()}
        guests[struct] = {path: f for path, f in closed.items() if f and not path.startswith(FIELDS_ROOM)}
    return guests


class Figure:
    """One figure: what it counts, how much that is, and the things counted."""

    def __init__(self, name, value, things):
        self.name = name
        self.value = value
        self.limit, self.aim = LIMITS[name]
        self.things = things

    def __str__(self):
        return f"{self.name}: {self.value} (limit {self.limit}, aim {self.aim})"


def figures_of(root):
    """All figures of a tree, in the order of LIMITS."""
    tree = Tree(root)
    figures = []
    for folder in MEASURED_FOLDERS:
        circles = circles_of(calls_of(tree.below(folder + "/")))
        things = [f"{len(circle)}: {' '.join(circle)}" for circle in circles]
        figures.append(Figure(f"largest circle in {folder}", max(map(len, circles), default=1), things))
    callers = index_callers(tree)
    figures.append(Figure("files that call index_*", len(callers), callers))
    above = files_above_the_engines(tree)
    seeing = sees_index(tree)
    share = round(100 * len(seeing) / len(above)) if above else 0
    figures.append(Figure("percent of files that see index.h", share, seeing))
    tests = wrapped_tests(tree)
    figures.append(Figure("unit tests with --wrap", len(tests), tests))
    calls = upward_calls(tree)
    figures.append(Figure("calls that go up in store", len(calls), calls))
    return figures


def guest_problems(tree):
    """Guests that are not on the list, and names on the list that are none any more."""
    for struct, guests in guests_of_fields(tree).items():
        for path, fields in sorted(guests.items()):
            if path not in GUESTS[struct]:
                yield f"{path} names fields of struct {struct} that belong to {FIELDS_ROOM}: {' '.join(sorted(fields))}"
        for path in sorted(GUESTS[struct] - guests.keys()):
            if path in tree.sources:
                yield f"{path} names no fields of struct {struct} any more: take it off the list"


def limit_problems(root):
    """The figures that are over their limit, and what is wrong with the lists of guests."""
    over = [f"{figure} is over its limit" for figure in figures_of(root) if figure.value > figure.limit]
    return over + list(guest_problems(Tree(root)))


def report(root):
    for figure in figures_of(root):
        print(figure)
        for thing in figure.things:
            print(f"    {thing}")
    for struct, guests in guests_of_fields(Tree(root)).items():
        print(f"guests of struct {struct}: {len(guests)}")
        for path, fields in sorted(guests.items()):
            print(f"    {path}: {' '.join(sorted(fields))}")
