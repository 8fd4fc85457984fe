/*
 * The .metadata of a distributed checkpoint: any bytes, and what is found points into them and is
 * in order.
 */
#include "formats/dcp_metadata.h"

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
    struct dcp_metadata metadata;

    if (dcp_metadata_read(data, size, NULL, &metadata) < 0)
        return 0;
    for (size_t i = 0; i < metadata.piece_count; i++) {
        text_verify(metadata.pieces[i].tensor, data, size);
        text_verify(metadata.pieces[i].file, data, size);
        if (metadata.pieces[i].offset + metadata.pieces[i].size < metadata.pieces[i].offset)
            abort();
        if (i > 0 && pickle_text_compare(metadata.pieces[i - 1].file, metadata.pieces[i].file) > 0)
            abort();
    }
    for (size_t i = 0; i < metadata.object_count; i++)
        text_verify(metadata.objects[i].name, data, size);
    dcp_metadata_release(&metadata);
    return 0;
}
