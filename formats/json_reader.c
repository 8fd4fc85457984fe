/*
 * See json_reader.h. Skipping keeps the kinds of the open brackets in the bits of one word instead
 * of recursing; inside a skipped value commas and colons are not checked for their places.
 */
#include "formats/json_reader.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

char json_reader_peek(struct json_reader *json)
{
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at != '\0')
        json->at++;
    return json->at < json->end ? *json->at : '\0';
}

bool json_reader_take(struct json_reader *json, char wanted)
{
    if (json_reader_peek(json) != wanted || wanted == '\0')
        return false;
    json->at++;
    return true;
}

static int hex4_take(struct json_reader *json, uint32_t *ret)
{
    uint32_t value = 0;

    if (json->end - json->at < 4)
        return -EUCLEAN;
    for (int i = 0; i < 4; i++) {
        char digit = *json->at++;

        if (!isxdigit((unsigned char)digit))
            return -EUCLEAN;
        value = value * 16 +
                (uint32_t)(isdigit((unsigned char)digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    *ret = value;
    return 0;
}

/* The code point behind \u, of two escapes where the first is half of a surrogate pair. */
static int code_point_take(struct json_reader *json, uint32_t *ret)
{
    uint32_t low;
    int err = hex4_take(json, ret);

    if (err < 0 || *ret < 0xD800 || *ret > 0xDFFF)
        return err;
    if (*ret > 0xDBFF || json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
        return -EUCLEAN;
    json->at += 2;
    err = hex4_take(json, &low);
    if (err < 0 || low < 0xDC00 || low > 0xDFFF)
        return -EUCLEAN;
    *ret = 0x10000 + ((*ret - 0xD800) << 10) + (low - 0xDC00);
    return 0;
}

static size_t utf8_put(uint32_t code, char dst[4])
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xC0 | code >> 6);
        dst[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xE0 | code >> 12);
        dst[1] = (char)(0x80 | (code >> 6 & 0x3F));
        dst[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    dst[0] = (char)(0xF0 | code >> 18);
    dst[1] = (char)(0x80 | (code >> 12 & 0x3F));
    dst[2] = (char)(0x80 | (code >> 6 & 0x3F));
    dst[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* What follows a backslash, as one to four bytes. */
static int escape_take(struct json_reader *json, char dst[4], size_t *ret_size)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *found;
    uint32_t code;
    int err;

    if (json->at == json->end)
        return -EUCLEAN;
    if (*json->at == 'u') {
        json->at++;
        err = code_point_take(json, &code);
        if (err == 0)
            *ret_size = utf8_put(code, dst);
        return err;
    }
    found = *json->at ? strchr(letters, *json->at) : NULL;
    if (!found)
        return -EUCLEAN;
    json->at++;
    dst[0] = values[found - letters];
    *ret_size = 1;
    return 0;
}

int json_reader_string(struct json_reader *json, char *dst, size_t size_max, size_t *ret_size)
{
    size_t size = 0;

    if (!json_reader_take(json, '"'))
        return -EUCLEAN;
    while (json->at < json->end && *json->at != '"') {
        char piece[4] = {*json->at++};
        size_t piece_size = 1;

        if ((unsigned char)piece[0] < 0x20)
            return -EUCLEAN;
        if (piece[0] == '\\' && escape_take(json, piece, &piece_size) < 0)
            return -EUCLEAN;
        if (piece_size > size_max - size)
            return -EUCLEAN;
        memcpy(dst + size, piece, piece_size);
        size += piece_size;
    }
    if (json->at == json->end)
        return -EUCLEAN;
    json->at++;
    *ret_size = size;
    return 0;
}

int json_reader_u64(struct json_reader *json, uint64_t *ret)
{
    uint64_t value = 0;

    if (!isdigit((unsigned char)json_reader_peek(json)))
        return -EUCLEAN;
    while (json->at < json->end && isdigit((unsigned char)*json->at)) {
        if (tfs_mul_overflows(value, 10, &value) ||
            tfs_add_overflows(value, (uint64_t)(*json->at - '0'), &value))
            return -EUCLEAN;
        json->at++;
    }
    if (json->at < json->end && *json->at && strchr(".eE", *json->at))
        return -EUCLEAN;
    *ret = value;
    return 0;
}

static int string_skip(struct json_reader *json)
{
    json->at++;
    while (json->at < json->end && *json->at != '"')
        json->at += *json->at == '\\' && json->end - json->at > 1 ? 2 : 1;
    if (json->at == json->end)
        return -EUCLEAN;
    json->at++;
    return 0;
}

/* A number, true, false or null. */
static int scalar_skip(struct json_reader *json)
{
    const char *begin = json->at;

    while (json->at < json->end && (isalnum((unsigned char)*json->at) || *json->at == '-' ||
                                    *json->at == '+' || *json->at == '.'))
        json->at++;
    return json->at > begin ? 0 : -EUCLEAN;
}

int json_reader_skip(struct json_reader *json)
{
    uint64_t is_object = 0; /* bit d: bracket number d is a brace */
    unsigned depth = 0;

    do {
        char next = json_reader_peek(json);

        if (next == '{' || next == '[') {
            if (depth == JSON_READER_DEPTH_MAX)
                return -EUCLEAN;
            is_object = (is_object & ~(1ull << depth)) | (uint64_t)(next == '{') << depth;
            depth++;
            json->at++;
        } else if (next == '}' || next == ']') {
            if (depth == 0 || (is_object >> (depth - 1) & 1) != (next == '}'))
                return -EUCLEAN;
            depth--;
            json->at++;
        } else if (next == '"') {
            if (string_skip(json) < 0)
                return -EUCLEAN;
        } else if (depth > 0 && (next == ',' || next == ':')) {
            json->at++;
        } else if (scalar_skip(json) < 0) {
            return -EUCLEAN;
        }
    } while (depth > 0);
    return 0;
}
