/*
 * Looking at what a pickle describes.
 */
#include "formats/pickle.h"

#include <stdlib.h>
#include <string.h>

void pickle_release(struct pickle *pickle)
{
    free(pickle->nodes);
    free(pickle->cells);
    memset(pickle, 0, sizeof(*pickle));
}

bool pickle_is_text(const struct pickle *pickle, uint32_t node, const char *wanted)
{
    const struct pickle_node *at = &pickle->nodes[node];

    return at->kind == PICKLE_TEXT && at->text.size == strlen(wanted) &&
           memcmp(at->text.at, wanted, at->text.size) == 0;
}

bool pickle_is_global(const struct pickle *pickle, uint32_t node, const char *module,
                      const char *name)
{
    const struct pickle_node *at = &pickle->nodes[node];

    return at->kind == PICKLE_GLOBAL && pickle_is_text(pickle, at->global.module, module) &&
           pickle_is_text(pickle, at->global.name, name);
}

uint32_t pickle_item(const struct pickle *pickle, uint32_t node, uint32_t index)
{
    uint32_t cell = pickle_items(pickle, node);

    if (index >= pickle->nodes[node].item_count)
        return 0;
    while (index-- > 0)
        cell = pickle->cells[cell].next;
    return pickle->cells[cell].node;
}

static uint32_t value_of(const struct pickle *pickle, uint32_t node, const char *key)
{
    uint32_t value = 0;

    for (uint32_t cell = pickle_items(pickle, node); cell;) {
        uint32_t next = pickle->cells[cell].next;

        if (next == 0)
            break;
        if (pickle_is_text(pickle, pickle->cells[cell].node, key))
            value = pickle->cells[next].node;
        cell = pickle->cells[next].next;
    }
    return value;
}

uint32_t pickle_lookup(const struct pickle *pickle, uint32_t node, const char *key)
{
    const struct pickle_node *at = &pickle->nodes[node];
    uint32_t value = 0;

    if (at->kind == PICKLE_DICT || at->kind == PICKLE_CALL)
        value = value_of(pickle, node, key);
    if (value == 0 && at->kind == PICKLE_CALL && pickle->nodes[at->call.state].kind == PICKLE_DICT)
        value = value_of(pickle, at->call.state, key);
    return value;
}

int pickle_text_compare(struct pickle_text a, struct pickle_text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.at, b.at, size) : 0;

    return order ? order : (a.size > b.size) - (a.size < b.size);
}
