/*
 * The pickle in a torch archive: any bytes, and what is found must point into them.
 */
#include "tools/validate/pickle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_verify(struct pickle_text text, const uint8_t *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)text.at;

    if (text.size > 0 && (at < data || text.size > size || at > data + size - text.size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pickle_storage_list list;

    if (pickle_find_storages(data, size, &list) < 0)
        return 0;
    for (size_t i = 0; i < list.count; i++) {
        text_verify(list.storages[i].key, data, size);
        text_verify(list.storages[i].label, data, size);
    }
    free(list.storages);
    return 0;
}
