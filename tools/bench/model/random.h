/*
 * Random numbers: xoshiro256++, seeded by splitmix64 (Blackman and Vigna, prng.di.unimi.it, public
 * domain algorithms). Small enough to be inlined where a gigabyte is generated.
 */
#ifndef TENSORFS_BENCH_RANDOM_H
#define TENSORFS_BENCH_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* Advance *state and return the next value. Also a good mixer: the result depends on every bit of
 * the state. */
static inline uint64_t random_splitmix(uint64_t *state)
{
    uint64_t value = *state += 0x9e3779b97f4a7c15ull;

    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    return value ^ (value >> 31);
}

static inline void random_init(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = random_splitmix(&seed);
}

static inline uint64_t random_rotate(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t *state = random->state;
    uint64_t result = random_rotate(state[0] + state[3], 23) + state[0];
    uint64_t shifted = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = random_rotate(state[3], 45);
    return result;
}

/* 0 <= result < limit. The bias is below 2^-32 for limits below 2^32. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * limit) >> 64);
}

/* 0 <= result < 1, 53 bits. */
static inline double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

#endif
