# Helpers for the cases that run a given program. Sourced after $TFS_LIB.
# shellcheck shell=bash

# given_program VARIABLE NAME: the path that the variable holds, or the installed program of that name.
#
# A variable that is set and names nothing that can be run fails the case: it would else look like a
# machine without a copy.
given_program() {
    local path=${!1:-}
    if [ -n "$path" ]; then
        if [ ! -x "$path" ] || [ -d "$path" ]; then
            fail "$1=$path is no program"
        fi
        realpath "$path"
    else
        command -v "$2" || true
    fi
}

# no_copy VARIABLE: the last line of a case that has nothing to run.
no_copy() {
    skip "$1 is not set; docs/TESTING.md says where to get a copy"
}
