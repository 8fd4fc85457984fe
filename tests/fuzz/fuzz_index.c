/*
 * The index of a sharded model: any text, and what is found is in order.
 */
#include "formats/shard_index.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shard_index index;
    const char *reason = NULL;

    if (shard_index_read((const char *)data, size, &index, &reason) < 0) {
        if (!reason)
            abort();
        return 0;
    }
    for (size_t i = 1; i < index.count; i++) {
        if (strcmp(index.entries[i - 1].file, index.entries[i].file) > 0)
            abort();
    }
    shard_index_release(&index);
    return 0;
}
