/*
 * The command `validate`, run in this process with its output caught, and files in a directory of
 * the test's own.
 */
#ifndef TFS_TESTS_VALIDATE_COMMAND_H
#define TFS_TESTS_VALIDATE_COMMAND_H

#include "store/base/defs.h"

/* What the command printed last, on standard output and on standard error. */
extern char output[1 << 20];
extern char errors[1 << 16];
extern char device_option[32]; /* "--device=cpu" */

/* Make the directory. Returns: 0, or -1. */
int directory_make(void);
/* Remove it with all that is in it. Returns: 0, or -1. */
int directory_remove(void);

/* A path in the directory, or itself for ""; valid until the fourth next call. */
const char *in_directory(const char *name);

/* The folders of the name are made, too. */
void file_write(const char *name, const void *data, size_t size);

/* Run the command with these arguments, NULL behind the last. */
int command(const char *first, ...);

void assert_output_has(const char *wanted);
void assert_output_lacks(const char *unwanted);
void assert_errors_have(const char *wanted);

#endif
