/*
 * A reader for JSON (RFC 8259) whose structure is known: the caller says what it expects next. It
 * holds no tree, so that a header of 100 MB costs nothing but its bytes, and integers keep all
 * their 64 bits.
 */
#ifndef TFS_FORMATS_JSON_READER_H
#define TFS_FORMATS_JSON_READER_H

#include "store/base/defs.h"

#define JSON_READER_DEPTH_MAX 64u

struct json_reader {
    const char *at;
    const char *end;
};

/* The next character that is not space, not taken; 0 at the end. */
char json_reader_peek(struct json_reader *json);

/* Take this character, if it is next. */
bool json_reader_take(struct json_reader *json, char wanted);

/*
 * Take a string and decode it to UTF-8, without a terminating zero.
 *
 * Errors: -EUCLEAN (not a string, or more than size_max bytes).
 */
TFS_MUST_CHECK int json_reader_string(struct json_reader *json, char *dst, size_t size_max,
                                      size_t *ret_size);

/* Take a natural number. Errors: -EUCLEAN (none, a fraction, or more than 64 bits). */
TFS_MUST_CHECK int json_reader_u64(struct json_reader *json, uint64_t *ret);

/* Take any value. Errors: -EUCLEAN (malformed, or deeper than JSON_READER_DEPTH_MAX). */
TFS_MUST_CHECK int json_reader_skip(struct json_reader *json);

#endif
