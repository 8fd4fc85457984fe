# shellcheck shell=bash
# Completion of tensorfsctl(1) and tensorfs-bench(1) for bash. The programs themselves say which commands and
# options there are.

# The options that the help on standard input has a line for.
_tensorfs_tool_options()
{
    sed -n 's/^ \{2,6\}\(-[a-zA-Z], \)\{0,1\}\(--[a-z][a-z-]*=\{0,1\}\).*/\2/p'
}

# As bash calls it: PROGRAM WORD-TO-COMPLETE WORD-BEFORE.
_tensorfs_tool()
{
    local program=$1 current=$2 command='' word words=''
    COMPREPLY=()

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || {
            command=$word
            break
        }
    done
    if [[ $current == -* ]]; then
        words=$("$program" ${command:+"$command"} --help 2>/dev/null | _tensorfs_tool_options)
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
    elif [[ -z $command ]]; then
        words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    else
        [[ $command != loglevel ]] || words='error warn info debug'
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -- "$current")
        compopt -o filenames
    fi
}

complete -F _tensorfs_tool tensorfsctl tensorfs-bench
