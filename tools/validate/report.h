/*
 * What validate prints: for people, or one JSON object.
 */
#ifndef TFS_VALIDATE_REPORT_H
#define TFS_VALIDATE_REPORT_H

#include "tools/validate/run.h"

#include <stdio.h>

struct validate_report {
    const char *device;
    struct validate_file *const *files;
    size_t file_count;
    /* Names in the manifest that no file had. */
    const struct manifest *manifest;
    bool wants_all_of_manifest;
    struct validate_cost cost;
};

/* How many problems there are in all. */
uint64_t validate_report_problems(const struct validate_report *report);

void validate_report_text(FILE *out, const struct validate_report *report, bool verbose);
void validate_report_json(FILE *out, const struct validate_report *report);

/* One by one against together. */
struct validate_comparison {
    const char *device;
    size_t item_count;
    struct validate_cost sequential;
    struct validate_cost parallel;
    struct validate_cost copy_only; /* in parallel, without the check */
    struct gpu_speed speed;         /* of the check of bf16 and of the memory */
    uint64_t speed_byte_count;
    bool is_device; /* a GPU, or the CPU */
};

void validate_comparison_text(FILE *out, const struct validate_comparison *comparison);
void validate_comparison_json(FILE *out, const struct validate_comparison *comparison);

#endif
