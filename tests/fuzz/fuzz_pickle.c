/*
 * The pickle in a torch archive: any bytes, and what is found must point into them.
 */
#include "formats/torch_storages.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_verify(struct pickle_text text, const uint8_t *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)text.at;

    if (text.size > 0 && (at < data || text.size > size || at > data + size - text.size))
        abort();
}

/* Each chain has as many cells as it says, and they are in the arrays. */
static void items_verify(const struct pickle *pickle, uint32_t node)
{
    uint32_t count = 0;

    for (uint32_t cell = pickle_items(pickle, node); cell; cell = pickle->cells[cell].next) {
        if (cell >= pickle->cell_count || pickle->cells[cell].node >= pickle->node_count)
            abort();
        count++;
    }
    if (count != pickle->nodes[node].item_count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct torch_storage_list list;
    struct pickle pickle;

    if (pickle_read(data, size, NULL, &pickle) < 0)
        return 0;
    if (pickle.size > size || pickle.root >= pickle.node_count)
        abort();
    for (uint32_t i = 0; i < pickle.node_count; i++) {
        items_verify(&pickle, i);
        if (pickle.nodes[i].kind == PICKLE_TEXT)
            text_verify(pickle.nodes[i].text, data, size);
    }
    if (torch_storages_find(&pickle, &list) == 0) {
        for (size_t i = 0; i < list.count; i++) {
            text_verify(list.storages[i].key, data, size);
            text_verify(list.storages[i].label, data, size);
        }
    }
    torch_storages_release(&list);
    pickle_release(&pickle);
    return 0;
}
