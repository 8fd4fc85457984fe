/*
 * Floats of 16 and 8 bits in pairs, as cuda_fp16.h, cuda_bf16.h and cuda_fp8.h have them: the
 * functions that gpu/ uses, by the CUDA Math API's description. Values are decoded by the tests'
 * reference, which shares nothing with gpu/.
 */
#ifndef TFS_TESTS_GPU_EMULATOR_EMULATOR_FLOATS_H
#define TFS_TESTS_GPU_EMULATOR_EMULATOR_FLOATS_H

#include "tests/gpu/emulator/cuda_runtime.h"

extern "C" {
#include "tests/unit/gpu_reference.h"
}

struct float2 {
    float x;
    float y;
};

/* A finite value in 16 bits, what does not fit cut off. */
static inline uint16_t emulator_encode(float value, int mantissa_bits, int bias)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;
    /* 1 <= significand < 2, but for 0 and what is subnormal */
    float significand = 2 * frexpf(fabsf(value), &exponent);

    exponent += bias - 1;
    if (value == 0 || exponent <= 0) {
        significand = value == 0 ? 0 : ldexpf(significand, exponent - 1);
        exponent = 0;
    } else {
        significand -= 1;
    }
    return (uint16_t)(sign | exponent << mantissa_bits | (int)ldexpf(significand, mantissa_bits));
}

/* Two elements of 16 bits; FORMAT is an enum dtype, and ONE its bits of 1. */
template <enum dtype FORMAT, uint16_t ONE> struct emulator_pair {
    uint16_t x;
    uint16_t y;

    static float decode(uint16_t bits)
    {
        return (float)reference_decode(FORMAT, bits);
    }

    /* Only of what both formats hold exactly: nothing is rounded here. */
    static uint16_t encode(float value)
    {
        const uint16_t bits =
            emulator_encode(value, FORMAT == DTYPE_F16 ? 10 : 7, FORMAT == DTYPE_F16 ? 15 : 127);

        if (decode(bits) != value)
            __builtin_trap();
        return bits;
    }

    static uint16_t smaller(uint16_t a, uint16_t b)
    {
        return isnan(decode(a)) || decode(b) < decode(a) ? b : a;
    }

    static uint16_t larger(uint16_t a, uint16_t b)
    {
        return isnan(decode(a)) || decode(b) > decode(a) ? b : a;
    }

    friend emulator_pair __hmin2(emulator_pair a, emulator_pair b)
    {
        return {smaller(a.x, b.x), smaller(a.y, b.y)};
    }

    friend emulator_pair __hmax2(emulator_pair a, emulator_pair b)
    {
        return {larger(a.x, b.x), larger(a.y, b.y)};
    }

    friend emulator_pair __heq2(emulator_pair a, emulator_pair b)
    {
        return {(uint16_t)(decode(a.x) == decode(b.x) ? ONE : 0),
                (uint16_t)(decode(a.y) == decode(b.y) ? ONE : 0)};
    }

    friend emulator_pair __hadd2(emulator_pair a, emulator_pair b)
    {
        return {encode(decode(a.x) + decode(b.x)), encode(decode(a.y) + decode(b.y))};
    }

    friend float2 emulator_decode(emulator_pair pair)
    {
        return {decode(pair.x), decode(pair.y)};
    }
};

typedef emulator_pair<DTYPE_BF16, 0x3F80> __nv_bfloat162;
typedef emulator_pair<DTYPE_F16, 0x3C00> __half2;

static inline float2 __bfloat1622float2(__nv_bfloat162 pair)
{
    return emulator_decode(pair);
}

static inline float2 __half22float2(__half2 pair)
{
    return emulator_decode(pair);
}

typedef uint16_t __nv_fp8x2_storage_t;
typedef enum { __NV_E4M3, __NV_E5M2 } __nv_fp8_interpretation_t;
typedef __half2 __half2_raw;

static inline uint16_t emulator_half_of_f8(enum dtype dtype, uint8_t bits)
{
    const float value = (float)reference_decode(dtype, bits);

    if (isnan(value))
        return 0x7FFF;
    if (isinf(value))
        return value < 0 ? 0xFC00 : 0x7C00;
    return __half2::encode(value);
}

static inline __half2_raw __nv_cvt_fp8x2_to_halfraw2(__nv_fp8x2_storage_t two,
                                                     __nv_fp8_interpretation_t format)
{
    const enum dtype dtype = format == __NV_E4M3 ? DTYPE_F8_E4M3 : DTYPE_F8_E5M2;

    return {emulator_half_of_f8(dtype, (uint8_t)two),
            emulator_half_of_f8(dtype, (uint8_t)(two >> 8))};
}

#endif
