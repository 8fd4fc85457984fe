/*
 * Files of JSON: configurations, thresholds, results.
 */
#ifndef TENSORFS_BENCH_JSON_FILE_H
#define TENSORFS_BENCH_JSON_FILE_H

#include "store/base/defs.h"

struct cJSON;

/* Write the tree to a file, as UTF-8 whatever bytes its texts hold. Errors:
 * said: -ENOMEM; of files. */
TFS_MUST_CHECK int json_file_write(const struct cJSON *root, const char *path);

/*
 * Read a text file of at most 64 MiB.
 *
 * Ownership: *ret is freed by the caller.
 * Errors:    said; -EINVAL when it is not there, a directory, too large or no text; -ENOMEM; -EIO.
 */
TFS_MUST_CHECK int json_file_read_text(const char *path, char **ret);

/*
 * Read and parse a JSON file. `ret_text` is for json_place_find.
 *
 * Ownership: *ret_text is freed by the caller, *ret with cJSON_Delete.
 * Errors:    as above; -EINVAL with the line of a syntax error.
 */
TFS_MUST_CHECK int json_file_read(const char *path, char **ret_text, struct cJSON **ret);

#endif
