/*
 * Values of mount options in a configuration, checked before anything is mounted. The ranges are
 * those of tensorfs's own command line.
 */
#ifndef TENSORFS_BENCH_SWEEP_VALUES_H
#define TENSORFS_BENCH_SWEEP_VALUES_H

#include "store/base/defs.h"

struct cJSON;

/* What is wrong with a value, for a message: "it must be ...". NULL: nothing. */
typedef const char *sweep_value_check(const struct cJSON *value, char *ret_text, size_t size);

struct sweep_option {
    const char *key;          /* in the configuration */
    const char *option;       /* of the mount */
    sweep_value_check *check; /* writes the value as the mount takes it */
};

/* NULL when no option has that key. */
const struct sweep_option *sweep_option_find(const char *key);

/* The keys of all options, for messages. */
const char *sweep_option_keys(void);

/* Any other option: a string, a whole number, or true for one without value (the text is then
 * empty). */
const char *sweep_value_any(const struct cJSON *value, char *ret_text, size_t size);

#endif
