/*
 * A pickle, read as the values that it describes; the specification is CPython's
 * Lib/pickletools.py. A pickle is a program; this runs none of it: what a call would return stays a
 * node that has what was called, with which arguments, and what was put into the result.
 *
 * Nodes are named by their index, in the order in which they began; 0 is a value that nothing is
 * known about (a float, None, ...), and what stands for no node at all. Nodes may share others and
 * contain themselves, so whoever walks them needs a limit of their own.
 */
#ifndef TFS_FORMATS_PICKLE_H
#define TFS_FORMATS_PICKLE_H

#include "formats/source.h"

/* Borrowed from the pickle's bytes, not terminated. */
struct pickle_text {
    const char *at;
    size_t size;
};

enum pickle_kind {
    PICKLE_UNKNOWN,
    PICKLE_TEXT,
    PICKLE_INTEGER,
    PICKLE_GLOBAL,     /* something of a module, by its name */
    PICKLE_TUPLE,      /* items */
    PICKLE_LIST,       /* items; a set, too */
    PICKLE_DICT,       /* items: key, value, key, value ... */
    PICKLE_CALL,       /* items are what was appended, or set by keys as in a dict */
    PICKLE_PERSISTENT, /* what a persistent id stands for */
};

struct pickle_node {
    enum pickle_kind kind;
    uint32_t item_count;
    uint32_t item_first; /* cells; of PICKLE_PERSISTENT: the id's node */
    uint32_t item_last;
    union {
        struct pickle_text text;
        uint64_t integer; /* 0 for a negative number and UINT64_MAX for one too large in a line */
        struct {
            uint32_t module; /* PICKLE_TEXT */
            uint32_t name;   /* likewise */
        } global;
        struct {
            uint32_t callable;
            uint32_t arguments; /* a PICKLE_TUPLE; 0 when not known */
            uint32_t state;     /* what BUILD gave it; 0 for nothing */
        } call;
    };
};

struct pickle_cell {
    uint32_t node;
    uint32_t next; /* 0 behind the last */
};

struct pickle {
    struct pickle_node *nodes;
    size_t node_count;
    size_t node_capacity;
    struct pickle_cell *cells; /* the first is not used */
    size_t cell_count;
    size_t cell_capacity;
    uint32_t root;
    size_t size; /* bytes up to its end; others may follow */
};

/*
 * Read the pickle (protocols 1 to 5) that data begins with. It may take a while; source, which may
 * be NULL, is asked whether to stop.
 *
 * Ownership: *ret is freed with pickle_release; texts in it point into data. On failure it is
 *            empty.
 * Errors:    -EUCLEAN (malformed or cut off), -EOPNOTSUPP (it may be whole, but operations have a
 *            meaning of the writer's own, or it is beyond a limit), -EINTR, -ENOMEM.
 */
TFS_MUST_CHECK int pickle_read(const void *data, size_t size, const struct format_source *source,
                               struct pickle *ret);
void pickle_release(struct pickle *pickle);

bool pickle_is_text(const struct pickle *pickle, uint32_t node, const char *wanted);
bool pickle_is_global(const struct pickle *pickle, uint32_t node, const char *module,
                      const char *name);

/* Item number `index` of a node, 0 when it has not so many. */
uint32_t pickle_item(const struct pickle *pickle, uint32_t node, uint32_t index);

/* What the key stands for in a dict, in what was put into a call's result, or in the state that it
 * was given; 0 when it is not there. The last one counts. */
uint32_t pickle_lookup(const struct pickle *pickle, uint32_t node, const char *key);

/* For each item: for (cell = pickle_items(...); cell; cell = pickle->cells[cell].next). */
static inline uint32_t pickle_items(const struct pickle *pickle, uint32_t node)
{
    return pickle->nodes[node].kind == PICKLE_PERSISTENT ? 0 : pickle->nodes[node].item_first;
}

/* Numbers of two texts' bytes, as memcmp(3) has it; a text before a longer one. */
int pickle_text_compare(struct pickle_text a, struct pickle_text b);

#endif
