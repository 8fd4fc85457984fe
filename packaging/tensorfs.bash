# shellcheck shell=bash
# Completion of tensorfs(8) for bash.

_tensorfs_options='chunk_size= compression= concurrency= threads= memory= cache= commit_interval=
    read_ahead= request_threads= lock_wait= metrics= log_level= fsname= context= fscontext= defcontext= rootcontext=
    direct nodirect create nocreate ro rw noatime atime strictatime sync async dirsync allow_other suid nosuid dev nodev exec noexec nosymfollow symfollow
    default_permissions'

# The values of an option whose name is $1.
_tensorfs_values()
{
    case $1 in
    chunk_size) echo 256K 1M 4M 16M ;;
    compression) echo auto none gzip zstd zstd:1 zstd:3 ;;
    memory | cache) echo 256M 512M 1G 4G ;;
    log_level) echo error warn info debug ;;
    esac
}

_tensorfs()
{
    local current=$2 previous=$3 name words
    COMPREPLY=()

    # bash splits --name=value into three words: --name, =, value.
    if [[ $current == = ]]; then
        current='' name=${previous#--}
    elif [[ $previous == = && $COMP_CWORD -ge 2 ]]; then
        name=${COMP_WORDS[COMP_CWORD - 2]#--}
    fi
    if [[ -n ${name-} ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_tensorfs_values "${name//-/_}")" -- "$current")
    elif [[ $previous == -o ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$_tensorfs_options" -- "$current")
        compopt -o nospace
    elif [[ $current == -* ]]; then
        for words in $_tensorfs_options help version; do
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "--$words" -- "$current")
        done
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W '-f -d -h -V -o' -- "$current")
        compopt -o nospace
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
    fi
}

complete -F _tensorfs tensorfs
