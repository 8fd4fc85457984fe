/*
 * One by one against together: what the passes of several rounds took, and what is printed of it.
 */
#ifndef TFS_VALIDATE_COMPARISON_H
#define TFS_VALIDATE_COMPARISON_H

#include "tools/validate/options.h"
#include "tools/validate/run.h"

#include <stdio.h>

enum validate_pass {
    VALIDATE_ONE_BY_ONE,
    VALIDATE_COPY_ONLY, /* together, without the check */
    VALIDATE_TOGETHER,
    VALIDATE_PASS_COUNT
};

/* For people. */
extern const char *const validate_pass_names[VALIDATE_PASS_COUNT];

struct validate_comparison {
    const char *device;
    size_t item_count;
    uint64_t byte_count;
    unsigned round_count;
    struct validate_cost costs[VALIDATE_ROUNDS_MAX][VALIDATE_PASS_COUNT];
    struct gpu_speed speed; /* of the check of bf16 and of the memory */
    uint64_t speed_byte_count;
    bool is_device; /* a GPU, or the CPU */
};

/* The middle one of `count` numbers, of an even count the mean of two; count is not 0. */
struct validate_spread {
    double median;
    double min;
    double max;
};

struct validate_spread validate_spread_of(const double *values, unsigned count);

/* Figures are medians of the rounds; ratios are made in each round first. */
void validate_comparison_text(FILE *out, const struct validate_comparison *comparison);

/* The same, with each round's figures. */
void validate_comparison_json(FILE *out, const struct validate_comparison *comparison);

#endif
