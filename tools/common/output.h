/*
 * Standard output as the place of results: what was printed has arrived, or the program fails.
 */
#ifndef TFS_TOOLS_OUTPUT_H
#define TFS_TOOLS_OUTPUT_H

#include "store/base/defs.h"

/*
 * Fill the place of standard input, output or error where it is closed (tfs_fill_standard_files).
 * What is printed to a closed standard output is an error all the same, see output_end().
 *
 * Threads: call it first in main().
 */
void output_begin(void);

/*
 * The exit status of a program that would exit with `status`: `failed`, with a complaint, when that
 * is 0 and not all that was printed has been taken.
 */
TFS_MUST_CHECK int output_end(int status, int failed);

/*
 * Print JSON and a line's end. Names of files may hold any bytes and JSON only UTF-8: a byte that
 * belongs to no character becomes U+FFFD, so that the whole can always be parsed.
 *
 * Ownership: text is given, and freed; NULL, as a printer gives without memory, is an error.
 * Errors:    -ENOMEM, -EIO, said.
 */
TFS_MUST_CHECK int output_json(char *text);

/* The text as UTF-8, with U+FFFD for each byte that is none; to be freed. NULL without memory. */
char *output_utf8(const char *text);

#endif
