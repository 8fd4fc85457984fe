#!/bin/sh
# Build and run bench_codec on all data sets, real weights included: bench/codec/run.sh [bench_codec options]
# The weights are fetched once, into build/. Without a network the synthetic sets run alone.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
real="$root/build/real-weights"

cd "$root"
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
cmake --build --preset release --target bench_codec >/dev/null
if [ ! -f "$real/real_fp16.safetensors" ]; then
    python3 bench/codec/real_weights.py "$real" || echo "no real weights" >&2
fi

build/release/bench/codec/bench_codec "$@"
if [ -f "$real/real_fp16.safetensors" ]; then
    build/release/bench/codec/bench_codec "$@" \
        "real_bf16=2=$real/real_bf16.safetensors" \
        "real_fp16=2=$real/real_fp16.safetensors" \
        "real_fp32=4=$real/real_fp32.safetensors"
fi
