#!/bin/sh
# Checks gpu/ on a machine with an NVIDIA GPU and nothing but CUDA, CMake, zlib and a compiler: builds it, compares
# the GPU's results with the CPU's, runs compute-sanitizer, then measures. Prints one JSON object; build
# output goes to standard error.
#
#   bench/gpu_check.sh [--cpu] [--out FILE]
#
#   --cpu   try the script without a GPU: everything on the CPU, and nothing said of any device
#   --out   where the JSON goes as well
#
# Environment: BUILD_DIR (default: a temporary one), DATA_DIR (default: one in BUILD_DIR; for the figures of
# the whole chain put it on the filesystem in question), DATA_MIB (4096, of 32 files), LARGE_BYTES (4 GiB),
# CUDA_ARCHITECTURES (default: all that the tree names; `native` builds faster), JOBS (32), ROUNDS (5).
# Exit status: 0 correct, 1 not, 77 no GPU.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
device=gpu
out=
while [ $# -gt 0 ]; do
    case $1 in
    --cpu) device=cpu ;;
    --out) out=$2 && shift ;;
    *) sed -n '2,15p' "$0" >&2 && exit 2 ;;
    esac
    shift
done

own_build=
if [ -z "${BUILD_DIR:-}" ]; then
    BUILD_DIR=$(mktemp -d)
    own_build=$BUILD_DIR
fi
data=${DATA_DIR:-$BUILD_DIR}/gpu_check_data
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    rm -rf "$data"
    [ -z "$own_build" ] || rm -rf "$own_build"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "gpu_check: $*" >&2; }

# Run a command; its standard output is the value of a JSON member. Anything but success or exit 1 with
# output is null, and makes the check fail.
status=0
json=
member() {
    name=$1
    shift
    say "$name"
    value=$("$@") || status=1
    [ -n "$value" ] || { value=null && status=1; }
    json="$json${json:+,}\"$name\":$value"
}

# It comes with the toolkit, and is not always on PATH where nvcc was found without it.
sanitizer=$(PATH=$PATH:${CUDA_PATH:-/usr/local/cuda}/bin command -v compute-sanitizer || true)

# shellcheck disable=SC2317 # called through member
sanitize() {
    [ -n "$sanitizer" ] || { printf '"not installed"' && return 0; }
    if "$sanitizer" --tool "$1" --error-exitcode 9 "$BUILD_DIR/tests/check_device" --small >&2; then
        printf '"clean"'
    else
        printf '"errors"'
        return 1
    fi
}

say "building in $BUILD_DIR"
cuda=ON
[ "$device" = gpu ] || cuda=AUTO
cmake -S "$root/bench/gpu" -B "$BUILD_DIR" -DCMAKE_BUILD_TYPE=Release -DTFS_CUDA=$cuda \
    ${CUDA_ARCHITECTURES:+"-DCMAKE_CUDA_ARCHITECTURES=$CUDA_ARCHITECTURES"} >&2
cmake --build "$BUILD_DIR" --parallel >&2

if [ "$device" = gpu ]; then
    code=0
    "$BUILD_DIR/tests/check_device" --small >/dev/null || code=$?
    [ "$code" -ne 77 ] || exit 77 # it has said why there is no GPU
fi

member correctness "$BUILD_DIR/tests/check_device" --device "$device" --large "${LARGE_BYTES:-4294967296}"
if [ "$device" = gpu ]; then
    member memcheck sanitize memcheck
    member racecheck sanitize racecheck
    member speed "$BUILD_DIR/bench_gpu" --device gpu --bytes 1073741824
else
    member speed "$BUILD_DIR/bench_gpu" --device cpu --bytes 67108864 --rounds 5
fi

mkdir -p "$data"
"$BUILD_DIR/make_tensors" "$data" 32 $((${DATA_MIB:-4096} * 1048576 / 32))
member files "$BUILD_DIR/validate/tensorfs-validate" "$data" --device "$device" --jobs "${JOBS:-32}" \
    --compare-sequential --rounds "${ROUNDS:-5}" --json

verdict=true
[ "$status" -eq 0 ] || verdict=false
json="{\"correct\":$verdict,\"compiler\":\"$(nvcc --version 2>/dev/null | sed -n 's/.*release //p')\",\"host\":\"$(uname -sr)\",$json}"
printf '%s\n' "$json"
[ -z "$out" ] || printf '%s\n' "$json" >"$out"
exit "$status"
