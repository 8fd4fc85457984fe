/*
 * Of Python's literals there are those that numpy writes: texts in either quotes, numbers, names,
 * tuples, lists, dicts. A structured dtype is a list of fields, (name, dtype) or (name, dtype,
 * shape), whose dtypes may be lists again; the bytes of its elements are the sum of the fields',
 * since numpy writes padding as fields, too.
 */
#include "formats/npy_header.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { DIMENSION_COUNT_MAX = 64, NESTING_MAX = 32 };

struct literal {
    const char *at;
    const char *end;
};

struct text {
    const char *at;
    size_t size;
};

static char next_char(struct literal *literal)
{
    while (literal->at < literal->end && isspace((unsigned char)*literal->at))
        literal->at++;
    return literal->at < literal->end ? *literal->at : '\0';
}

static bool take(struct literal *literal, char wanted)
{
    if (next_char(literal) != wanted || wanted == '\0')
        return false;
    literal->at++;
    return true;
}

/* A text, with what stands before its quote in Python 2: u'descr'. Escapes stay as they are. */
static int take_text(struct literal *literal, struct text *ret)
{
    const char *begin;
    char quote = next_char(literal);

    if (quote && strchr("ub", quote)) {
        literal->at++;
        quote = next_char(literal);
    }
    if (quote != '\'' && quote != '"')
        return -EUCLEAN;
    begin = ++literal->at;
    while (literal->at < literal->end && *literal->at != quote)
        literal->at += *literal->at == '\\' && literal->end - literal->at > 1 ? 2 : 1;
    if (literal->at >= literal->end)
        return -EUCLEAN;
    *ret = (struct text){begin, (size_t)(literal->at - begin)};
    literal->at++;
    return 0;
}

static int take_number(struct literal *literal, uint64_t *ret)
{
    uint64_t value = 0;

    if (!isdigit((unsigned char)next_char(literal)))
        return -EUCLEAN;
    for (; literal->at < literal->end && isdigit((unsigned char)*literal->at); literal->at++) {
        if (tfs_mul_overflows(value, 10, &value) ||
            tfs_add_overflows(value, (uint64_t)(*literal->at - '0'), &value))
            return -EUCLEAN;
    }
    if (literal->at < literal->end && *literal->at == 'L')
        literal->at++; /* Python 2 */
    *ret = value;
    return 0;
}

/* Any value: up to the comma or bracket behind it. */
static int skip(struct literal *literal)
{
    struct text unused;
    unsigned depth = 0;

    for (;;) {
        char c = next_char(literal);

        if (c == '\0')
            return -EUCLEAN;
        if (depth == 0 && strchr(",:)]}", c))
            return 0;
        if (c == '\'' || c == '"') {
            if (take_text(literal, &unused) < 0)
                return -EUCLEAN;
            continue;
        }
        depth += strchr("([{", c) != NULL;
        depth -= strchr(")]}", c) != NULL;
        literal->at++;
    }
}

/* (3, 4), (3,) or (): the product. */
static int take_shape(struct literal *literal, uint64_t *ret)
{
    uint64_t count = 1;

    if (!take(literal, '('))
        return -EUCLEAN;
    for (unsigned i = 0; i <= DIMENSION_COUNT_MAX; i++) {
        uint64_t dimension;

        if (take(literal, ')')) {
            *ret = count;
            return 0;
        }
        if (take_number(literal, &dimension) < 0 || tfs_mul_overflows(count, dimension, &count) ||
            (!take(literal, ',') && next_char(literal) != ')'))
            return -EUCLEAN;
    }
    return -EUCLEAN;
}

/* Bytes of what is written as '<f4': a kind and its bytes; of 'U' characters of four. Dates have a
 * unit behind them: '<M8[ns]'. 0 when it is not known. */
static uint64_t descr_size(struct text descr)
{
    uint64_t size = 0;
    size_t i = 1;

    if (descr.size < 2 || !strchr("fiubcVSaUMm", *descr.at) || !isdigit((unsigned char)descr.at[1]))
        return 0;
    for (; i < descr.size && isdigit((unsigned char)descr.at[i]); i++) {
        if (tfs_mul_overflows(size, 10, &size) ||
            tfs_add_overflows(size, (uint64_t)(descr.at[i] - '0'), &size))
            return 0;
    }
    if (i < descr.size && descr.at[i] != '[')
        return 0;
    if (*descr.at == 'U' && tfs_mul_overflows(size, 4, &size))
        return 0;
    return size;
}

static int take_descr(struct literal *literal, struct npy_header *header)
{
    struct text descr;
    bool is_ours = true;

    if (take_text(literal, &descr) < 0)
        return -EUCLEAN;
    if (descr.size > 0 && strchr("<>|=", *descr.at)) {
        is_ours = *descr.at != '>';
        descr.at++;
        descr.size--;
    }
    header->element_size = descr_size(descr);
    if (!is_ours || dtype_find(DTYPE_IN_NPY, descr.at, descr.size, &header->dtype) < 0)
        header->dtype = DTYPE_BYTES;
    return 0;
}

/* A structure: what is known of the fields so far. */
struct structure {
    uint64_t size;
    bool has_unknown; /* a field whose size is not known, so its own is not either */
};

/* Behind a field's dtype: its shape, if it has one, and the end of the tuple. */
static int field_end(struct literal *literal, const struct structure *field,
                     struct structure *structure)
{
    uint64_t count = 1;
    uint64_t size;

    if (take(literal, ',') && next_char(literal) == '(' && take_shape(literal, &count) < 0)
        return -EUCLEAN;
    if (tfs_mul_overflows(field->size, count, &size) ||
        tfs_add_overflows(structure->size, size, &structure->size) || !take(literal, ')'))
        return -EUCLEAN;
    structure->has_unknown |= field->has_unknown;
    return take(literal, ',') || next_char(literal) == ']' ? 0 : -EUCLEAN;
}

/* Behind '(': the name, which may be a tuple of a title and a name, and the comma. */
static int field_begin(struct literal *literal)
{
    return take(literal, '(') && skip(literal) == 0 && take(literal, ',') ? 0 : -EUCLEAN;
}

/* Behind '['. */
static int take_structure(struct literal *literal, struct npy_header *header)
{
    struct structure structures[NESTING_MAX] = {{0, false}};
    unsigned depth = 0;
    int err = 0;

    while (err == 0 && depth < NESTING_MAX) {
        if (take(literal, ']')) {
            if (depth == 0)
                break;
            depth--;
            err = field_end(literal, &structures[depth + 1], &structures[depth]);
            continue;
        }
        err = field_begin(literal);
        if (err == 0 && take(literal, '[')) {
            if (++depth < NESTING_MAX)
                structures[depth] = (struct structure){0, false};
        } else if (err == 0) {
            err = take_descr(literal, header);
            if (err == 0)
                err = field_end(
                    literal, &(struct structure){header->element_size, header->element_size == 0},
                    &structures[depth]);
        }
    }
    if (err < 0 || depth > 0)
        return -EUCLEAN;
    header->dtype = DTYPE_BYTES;
    header->element_size = structures[0].has_unknown ? 0 : structures[0].size;
    return 0;
}

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static bool text_is(struct text text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.at, wanted, text.size) == 0;
}

/* One key and what it stands for. */
static int take_member(struct literal *literal, struct npy_header *header, unsigned *has,
                       const char **ret_reason)
{
    struct text key;

    *ret_reason = "no dict";
    if (take_text(literal, &key) < 0 || !take(literal, ':'))
        return -EUCLEAN;
    if (text_is(key, "descr")) {
        *has |= HAS_DESCR;
        *ret_reason = "bad descr";
        return take(literal, '[') ? take_structure(literal, header) : take_descr(literal, header);
    }
    if (text_is(key, "shape")) {
        *has |= HAS_SHAPE;
        *ret_reason = "bad shape";
        return take_shape(literal, &header->element_count);
    }
    if (text_is(key, "fortran_order"))
        *has |= HAS_ORDER;
    return skip(literal);
}

int npy_header_parse(const char *text, size_t size, struct npy_header *ret, const char **ret_reason)
{
    struct literal literal = {text, text + size};
    struct npy_header header = {.dtype = DTYPE_BYTES};
    unsigned has = 0;

    *ret_reason = "no dict";
    if (!take(&literal, '{'))
        return -EUCLEAN;
    while (!take(&literal, '}')) {
        if (take_member(&literal, &header, &has, ret_reason) < 0)
            return -EUCLEAN;
        *ret_reason = "no dict";
        if (!take(&literal, ',') && next_char(&literal) != '}')
            return -EUCLEAN;
    }
    if (next_char(&literal) != '\0' || literal.at != literal.end)
        return -EUCLEAN;
    *ret_reason = "descr, fortran_order or shape is missing";
    if (has != HAS_ALL)
        return -EUCLEAN;
    *ret = header;
    return 0;
}
