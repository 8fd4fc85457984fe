/*
 * Small definitions that every layer uses: attributes, cleanup, checked arithmetic.
 */
#ifndef TFS_BASE_DEFS_H
#define TFS_BASE_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A result that must be looked at; ignore one on purpose with a (void) cast and a reason. */
#define TFS_MUST_CHECK __attribute__((warn_unused_result))
#define TFS_PRINTF(format_index, first_index)                                                      \
    __attribute__((format(printf, format_index, first_index)))

/* Run `function(&variable)` when the variable leaves its scope. */
#define tfs_cleanup(function) __attribute__((cleanup(function)))

/* Hand a pointer on and forget it, so that its cleanup has nothing left to do. */
#define TAKE_PTR(pointer)                                                                          \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#define TFS_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define tfs_container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define TFS_KIB (1024ull)
#define TFS_MIB (1024ull * TFS_KIB)
#define TFS_GIB (1024ull * TFS_MIB)

static inline uint64_t tfs_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t tfs_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounds to a multiple of `unit`, a power of two. The caller knows that the sum fits. */
static inline uint64_t tfs_align_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static inline uint64_t tfs_align_down(uint64_t value, uint64_t unit)
{
    return value & ~(unit - 1);
}

static inline bool tfs_is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* True when the result does not fit; *ret is then unspecified. For every size from outside. */
static inline bool tfs_add_overflows(uint64_t a, uint64_t b, uint64_t *ret)
{
    return __builtin_add_overflow(a, b, ret);
}

static inline bool tfs_mul_overflows(uint64_t a, uint64_t b, uint64_t *ret)
{
    return __builtin_mul_overflow(a, b, ret);
}

#endif
