/*
 * Where in a JSON file something stands. cJSON forgets positions; here a value is found again by
 * its number in document order, which is the same in the text and in the tree.
 */
#ifndef TENSORFS_BENCH_JSON_PLACE_H
#define TENSORFS_BENCH_JSON_PLACE_H

#include "store/base/defs.h"

struct cJSON;

/* A document beside the text that it was parsed from, and the file that messages name. Borrowed. */
struct json_document {
    const char *file;
    const char *text;
    const struct cJSON *root;
};

struct json_place {
    unsigned line;  /* from 1 */
    char path[160]; /* "test_configurations[2].compression"; "" for the document itself */
};

/*
 * Parse `text`, the content of `file`, and say with its line what is wrong with it.
 *
 * Ownership: *ret is freed with cJSON_Delete. Errors: -EINVAL, said.
 */
TFS_MUST_CHECK int json_place_parse(const char *file, const char *text, struct cJSON **ret);

/* Find a value of the document. One of another document gives line 1. */
void json_place_find(const struct json_document *document, const struct cJSON *node,
                     struct json_place *ret);

/* Say what is wrong with a value of the document: "FILE:LINE: PATH: MESSAGE". Gives -EINVAL. */
TFS_MUST_CHECK int json_place_reject(const struct json_document *document, const struct cJSON *node,
                                     const char *format, ...) TFS_PRINTF(3, 4);

/* The value that a path names: members by dots; elements in brackets, by index or by their member
 * "name". NULL: none. */
const struct cJSON *json_place_resolve(const struct cJSON *root, const char *path);

#endif
