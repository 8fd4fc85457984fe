/*
 * CUDA's device code as ordinary C++: the keywords, and the functions that gpu/kernel.cu uses of
 * CUDA's own, by what the CUDA Programming Guide says of them. Included before all else, as nvcc
 * does with its own.
 */
#ifndef TFS_TESTS_GPU_EMULATOR_CUDA_RUNTIME_H
#define TFS_TESTS_GPU_EMULATOR_CUDA_RUNTIME_H

#include "tests/gpu/emulator/grid.h"

#include <math.h>
#include <string.h>

#define __CUDACC__    1
#define __CUDA_ARCH__ 900
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__ static __thread /* of the thread whose fibers run the block */

static inline void __syncthreads()
{
    grid_barrier();
}

static inline uint32_t emulator_lane()
{
    return threadIdx.x % GRID_LANES;
}

template <class T> T emulator_shuffle(uint32_t mask, T value, uint32_t source)
{
    uint64_t bits = 0;

    static_assert(sizeof(T) <= sizeof(bits), "a shuffle moves 8 bytes at most");
    if (mask != 0xFFFFFFFFu)
        __builtin_trap(); /* nothing else is emulated */
    memcpy(&bits, &value, sizeof(value));
    bits = grid_shuffle(bits, source);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

template <class T> T __shfl_xor_sync(uint32_t mask, T value, uint32_t lane_mask)
{
    return emulator_shuffle(mask, value, emulator_lane() ^ lane_mask);
}

template <class T> T __shfl_down_sync(uint32_t mask, T value, uint32_t distance)
{
    return emulator_shuffle(mask, value, emulator_lane() + distance);
}

static inline int __popc(uint32_t bits)
{
    return __builtin_popcount(bits);
}

/* ---- four integers of 8 bits, two of 16 ---- */

template <class Integer, class Byte> Integer emulator_dot(uint32_t a, uint32_t b, Integer sum)
{
    for (int k = 0; k < 4; k++)
        sum += (Integer)(Byte)(a >> (8 * k)) * (Integer)(Byte)(b >> (8 * k));
    return sum;
}

static inline int __dp4a(int a, int b, int sum)
{
    return emulator_dot<int, int8_t>((uint32_t)a, (uint32_t)b, sum);
}

static inline uint32_t __dp4a(uint32_t a, uint32_t b, uint32_t sum)
{
    return emulator_dot<uint32_t, uint8_t>(a, b, sum);
}

template <class T> T min(T a, T b)
{
    return b < a ? b : a;
}

template <class T> T max(T a, T b)
{
    return a < b ? b : a;
}

template <class Half> uint32_t emulator_pair_of(Half low, Half high)
{
    return (uint32_t)(uint16_t)high << 16 | (uint16_t)low;
}

static inline uint32_t __vminu2(uint32_t a, uint32_t b)
{
    return emulator_pair_of(min((uint16_t)a, (uint16_t)b),
                            min((uint16_t)(a >> 16), (uint16_t)(b >> 16)));
}

static inline uint32_t __vmaxu2(uint32_t a, uint32_t b)
{
    return emulator_pair_of(max((uint16_t)a, (uint16_t)b),
                            max((uint16_t)(a >> 16), (uint16_t)(b >> 16)));
}

static inline uint32_t __vmins2(uint32_t a, uint32_t b)
{
    return emulator_pair_of(min((int16_t)a, (int16_t)b),
                            min((int16_t)(a >> 16), (int16_t)(b >> 16)));
}

static inline uint32_t __vmaxs2(uint32_t a, uint32_t b)
{
    return emulator_pair_of(max((int16_t)a, (int16_t)b),
                            max((int16_t)(a >> 16), (int16_t)(b >> 16)));
}

/* ---- doubles, rounded to nearest ---- */

static inline double __fma_rn(double a, double b, double c)
{
    return fma(a, b, c);
}

/* Compiled with -ffp-contract=off, so that these stay apart. */
static inline double __dadd_rn(double a, double b)
{
    return a + b;
}

static inline double __dmul_rn(double a, double b)
{
    return a * b;
}

template <class Argument> void emulator_call(const struct emulator_kernel *kernel)
{
    Argument argument;

    memcpy(&argument, kernel->argument, sizeof(argument));
    reinterpret_cast<void (*)(Argument)>(kernel->entry)(argument);
}

template <class Argument>
cudaError_t cudaLaunchKernel(void (*entry)(Argument), dim3 grid, dim3 block, void **arguments,
                             size_t shared_size, cudaStream_t stream)
{
    struct emulator_kernel kernel;

    static_assert(sizeof(Argument) <= sizeof(kernel.argument), "an argument fits");
    (void)shared_size;
    kernel.call = emulator_call<Argument>;
    kernel.entry = reinterpret_cast<void (*)(void)>(entry);
    memcpy(kernel.argument, arguments[0], sizeof(Argument));
    return emulator_launch(&kernel, grid, block, stream);
}

template <class Argument>
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *ret, void (*entry)(Argument))
{
    (void)entry;
    ret->numRegs = 0;
    return emulator_admit(__func__);
}

#endif
