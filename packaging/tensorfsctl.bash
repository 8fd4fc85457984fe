# shellcheck shell=bash
# Completion of tensorfsctl(1) for bash. The tool itself says which commands and options there are.

_tensorfsctl()
{
    local current=$2 command='' word words
    COMPREPLY=()

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || {
            command=$word
            break
        }
    done
    if [[ -z $command && $current != -* ]]; then
        words=$(tensorfsctl --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [[ $current == -* ]]; then
        words='--json --quiet --help --version'
        [[ -z $command ]] ||
            words=$(tensorfsctl "$command" --help 2>/dev/null | grep -o -- ' --[a-z-]*=\?')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
    else
        [[ $command != loglevel ]] || words='error warn info debug'
        mapfile -t COMPREPLY < <(compgen -W "${words-}" -- "$current"; compgen -f -- "$current")
        compopt -o filenames
    fi
}

complete -F _tensorfsctl tensorfsctl
