/*
 * A reader for JSON whose structure is known: the caller says what it expects next. It holds no
 * tree, so that a header of 100 MB costs nothing but its bytes, and integers keep all their 64
 * bits.
 */
#ifndef TFS_VALIDATE_JSON_READER_H
#define TFS_VALIDATE_JSON_READER_H

#include "store/base/defs.h"

#define VALIDATE_JSON_DEPTH_MAX 64u

struct validate_json {
    const char *at;
    const char *end;
};

/* The next character that is not space, not taken; 0 at the end. */
char validate_json_peek(struct validate_json *json);

/* Take this character, if it is next. */
bool validate_json_take(struct validate_json *json, char wanted);

/*
 * Take a string and decode it to UTF-8, without a terminating zero.
 *
 * Errors: -EUCLEAN (not a string, or more than size_max bytes).
 */
TFS_MUST_CHECK int validate_json_string(struct validate_json *json, char *dst, size_t size_max,
                                        size_t *ret_size);

/* Take a natural number. Errors: -EUCLEAN (none, a fraction, or more than 64 bits). */
TFS_MUST_CHECK int validate_json_u64(struct validate_json *json, uint64_t *ret);

/* Take any value. Errors: -EUCLEAN (malformed, or deeper than VALIDATE_JSON_DEPTH_MAX). */
TFS_MUST_CHECK int validate_json_skip(struct validate_json *json);

#endif
