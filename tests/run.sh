#!/bin/bash
# Command 2: all the set-up and every test. Ends in ctest's summary.
#
# Builds what the chosen parts need, joins their tests into one list and gives that to one ctest, so that
# one summary counts everything and two cores stay busy to the end.
set -euo pipefail

usage()
{
    cat <<'END'
Usage: tests/run.sh [OPTIONS]

Installs what is missing, builds with warnings as errors and runs the tests:

  dev    every test of the short tier, in a debug build (lock ranks and asserts on)
  asan   unit, mount and model tests under AddressSanitizer and UBSan
  tsan   unit and model tests under ThreadSanitizer
  fuzz   the fuzz targets over their corpora, under AddressSanitizer and UBSan (clang)

  --dev, --asan, --tsan, --fuzz   only these parts (default: all four)
  --long                          also the tests labelled `long` of these parts (hours)
  --only REGEX                    only the tests whose name matches
  --jobs N                        tests and compilers at a time (default: the cores)
  --no-setup                      install nothing; tests whose programs are missing skip themselves
  -h, --help                      this text

The long tests of label `conform` run suites that others wrote, where PJDFSTEST, FSX and FSSTRESS name a copy.

Exit status: 0 when every test passed or skipped itself with a reason, else not 0.
docs/TESTING.md says what each tier proves.
END
}

fail_usage()
{
    echo "tests/run.sh: $*" >&2
    usage >&2
    exit 2
}

# The labels of a part's tests, as a regular expression for ctest -L; empty for all.
labels_of()
{
    case $1 in
    dev) echo '' ;;
    asan) echo '^(unit|mount|model)$' ;;
    tsan) echo '^(unit|model)$' ;;
    fuzz) echo '^fuzz$' ;;
    esac
}

build_part()
{
    echo "== building '$1'"
    mkdir -p build
    cmake --preset "$1" >"build/$1.log" 2>&1 || { cat "build/$1.log" && exit 1; }
    cmake --build --preset "$1" --parallel "$jobs" -- --quiet
}

parts=()
exclude_labels='^(long|gpu|bench)$'
only=
jobs=$(nproc)
with_setup=1
while [ $# -gt 0 ]; do
    case $1 in
    --dev | --asan | --tsan | --fuzz) parts+=("${1#--}") ;;
    --long) exclude_labels='^(gpu|bench)$' ;;
    --only | --jobs)
        [ $# -gt 1 ] || fail_usage "$1 needs a value"
        if [ "$1" = --only ]; then only=$2; else jobs=$2; fi
        shift
        ;;
    --no-setup) with_setup=0 ;;
    -h | --help) usage && exit 0 ;;
    *) fail_usage "unknown option '$1'" ;;
    esac
    shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || fail_usage "--jobs wants a number, not '$jobs'"
[ ${#parts[@]} -gt 0 ] || parts=(dev asan tsan fuzz)

cd "$(dirname "$0")/.."
if [ "$with_setup" -eq 1 ]; then
    tools/dev/setup.sh build test --venv build/venv
fi
for part in "${parts[@]}"; do
    build_part "$part"
done

list_arguments=()
for part in "${parts[@]}"; do
    list_arguments+=("$part" "build/$part" "$(labels_of "$part")")
done
rm -rf build/tests
/usr/bin/python3 tools/dev/join_tests.py build/tests "$exclude_labels" "${list_arguments[@]}"

echo "== testing"
ctest_arguments=(--test-dir build/tests --parallel "$jobs" --output-on-failure --no-tests=error
    --timeout 600 --output-junit results.xml)
[ -z "$only" ] || ctest_arguments+=(--tests-regex "$only")
status=0
ctest "${ctest_arguments[@]}" | tee build/tests/output.log || status=$?
/usr/bin/python3 tools/dev/skip_reasons.py build/tests/results.xml
grep -E 'tests passed, .* tests? failed' build/tests/output.log | tail -n 1
exit "$status"
