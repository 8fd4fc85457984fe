#!/bin/sh
# Installs from Debian's packages what is missing to build, test or work on tensorfs.
#
# Asks dpkg in one call what is there, so that a machine with everything costs a few milliseconds.
# A package of the set `build` that cannot be had is an error; one of the other sets is a warning,
# because every test that needs it skips itself and says so.
set -eu

usage()
{
    cat <<'END'
Usage: tools/dev/setup.sh [OPTIONS] [SET...]

Installs what is missing of the named sets of Debian packages (default: build).

  build   compiler, CMake and libraries: what the quick start needs
  test    what tests/run.sh needs on top: the programs whose files the tests put on a mount
  dev     what developers use on top: debuggers, valgrind, fio, perf

  -n, --dry-run      print what would be installed, install nothing; exit 3 if something is missing
      --no-torch     leave PyTorch out of `test` (140 MB to download, 600 MB on disk);
                     the same as TFS_SETUP_TORCH=0 in the environment
      --venv DIR     also make a Python virtual environment in DIR with what Debian lacks
                     (safetensors, from PyPI); where that fails, say why and go on
  -h, --help         this text

Exit status: 0 all there, 1 something of `build` is missing and cannot be had, 2 usage.
END
}

# One package a line would read better, but these change together.
packages_build='gcc libc6-dev cmake ninja-build pkg-config fuse3 libfuse3-dev librocksdb-dev libzstd-dev
    zlib1g-dev libdeflate-dev libxxhash-dev libcjson-dev libcmocka-dev libmicrohttpd-dev python3'
packages_test='python3-numpy python3-h5py python3-venv sqlite3 git tar rsync attr acl e2fsprogs util-linux
    procps psmisc systemd gnuplot-nox man-db clang-format-14 clang-tidy-14 shellcheck binutils perl
    clang clang-14 libclang-rt-14-dev g++'
packages_torch='python3-torch'
packages_dev='valgrind gdb fio hyperfine linux-perf strace'

safetensors_version=0.8.0 # works with Python 3.11, numpy 1.24 and PyTorch 1.13 of Debian 12

say()
{
    echo "setup: $*"
}

die()
{
    echo "setup: error: $*" >&2
    exit 1
}

# Prints those of the given packages that are not installed, on one line.
missing_of()
{
    dpkg-query --showformat '${db:Status-Status} ${Package}\n' --show "$@" 2>/dev/null |
        awk -v wanted="$*" '
            $1 == "installed" { have[$2] = 1 }
            END {
                count = split(wanted, name, " ")
                for (i = 1; i <= count; i++)
                    if (!(name[i] in have)) printf "%s ", name[i]
            }'
}

# Runs a command as root: directly, or through sudo, which may ask for a password on a terminal.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null 2>&1; then
        die "not root and no sudo: run this as root:  $*"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_install()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install \
        --yes --quiet --no-install-recommends "$@" >&2
}

# install SET PACKAGES: 0 when all of them are there afterwards.
install_missing()
{
    set_name=$1
    shift
    # shellcheck disable=SC2086 # a list of words
    missing=$(missing_of "$@")
    [ -n "$missing" ] || return 0
    if [ "$dry_run" -eq 1 ]; then
        say "missing of '$set_name': $missing"
        something_missing=1
        return 0
    fi
    say "installing for '$set_name' with apt-get$([ "$(id -u)" -eq 0 ] || echo ' and sudo'): $missing"
    if [ "$lists_updated" -eq 0 ]; then
        as_root apt-get -o DPkg::Lock::Timeout=600 update --quiet=2 >&2 ||
            say "warning: apt-get update failed, trying with the lists that are there"
        lists_updated=1
    fi
    # shellcheck disable=SC2086
    apt_install $missing || {
        say "warning: not all of '$set_name' could be installed at once, trying one by one"
        for package in $missing; do
            apt_install "$package" || say "warning: could not install $package"
        done
    }
    # shellcheck disable=SC2086
    missing=$(missing_of $missing)
    [ -z "$missing" ]
}

make_venv()
{
    venv=$1
    stamp="$venv/safetensors-$safetensors_version"
    [ ! -e "$stamp" ] || return 0
    if [ "$dry_run" -eq 1 ]; then
        say "missing: safetensors $safetensors_version in $venv"
        something_missing=1
        return 0
    fi
    mkdir -p "$(dirname "$venv")"
    say "making a Python environment with safetensors $safetensors_version in $venv"
    # Debian's python3, not the first one in PATH: it is the one that sees Debian's numpy and torch.
    if /usr/bin/python3 -m venv --clear --system-site-packages "$venv" >"$venv.log" 2>&1 &&
        "$venv/bin/python" -m pip install --quiet --no-deps --retries 1 "safetensors==$safetensors_version" \
            >>"$venv.log" 2>&1 && "$venv/bin/python" -c 'import safetensors'; then
        rm -f "$venv.log"
        : >"$stamp"
    else
        say "warning: no safetensors (see $venv.log), tests with it skip: $(tail -n 1 "$venv.log")"
    fi
}

dry_run=0
venv_folder=
with_torch=${TFS_SETUP_TORCH:-1}
sets=
while [ $# -gt 0 ]; do
    case $1 in
    -n | --dry-run) dry_run=1 ;;
    --no-torch) with_torch=0 ;;
    --venv)
        [ $# -gt 1 ] || { usage >&2 && exit 2; }
        venv_folder=$2
        shift
        ;;
    -h | --help) usage && exit 0 ;;
    build | test | dev) sets="$sets $1" ;;
    *)
        echo "setup: unknown argument '$1'" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done
[ -n "$sets" ] || sets=build

something_missing=0
lists_updated=0
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    die "no apt-get here, install by hand what these Debian packages hold:" $packages_build
fi

for set_name in $sets; do
    case $set_name in
    build)
        # shellcheck disable=SC2086
        install_missing build $packages_build || die "cannot build without: $missing"
        ;;
    test)
        [ "$with_torch" -eq 0 ] || packages_test="$packages_test $packages_torch"
        # shellcheck disable=SC2086
        install_missing test $packages_test || say "warning: tests that need them will skip: $missing"
        ;;
    dev)
        # shellcheck disable=SC2086
        install_missing dev $packages_dev || say "warning: not to be had: $missing"
        ;;
    esac
done
[ -z "$venv_folder" ] || make_venv "$venv_folder"
[ "$something_missing" -eq 0 ] || exit 3
