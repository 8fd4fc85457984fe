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
    bool is_interrupted; /* files that are not complete were not checked to their end */
};

/* How many problems there are in all. */
uint64_t validate_report_problems(const struct validate_report *report);

void validate_report_text(FILE *out, const struct validate_report *report, bool verbose);
void validate_report_json(FILE *out, const struct validate_report *report);

/* A string with its quotes, of any bytes. */
void validate_report_string(FILE *out, const char *text);
/* A number, or null: JSON has no NaN and no infinities. */
void validate_report_number(FILE *out, double value);
/* A comma, and the number as a member. */
void validate_report_member(FILE *out, const char *key, double value);

#endif
