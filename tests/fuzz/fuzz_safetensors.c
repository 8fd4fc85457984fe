/*
 * The JSON of a safetensors header: what fuzz_tensors reaches only when the first eight bytes fit.
 */
#include "formats/safetensors.h"

#include "store/base/bytes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t data_bytes = 64; /* behind the header, for the tensors to lie in */
    uint8_t *bytes = calloc(1, 8 + size + data_bytes);
    struct format_source source;
    struct tensor_list list;

    if (!bytes)
        return 0;
    tfs_put_le64(bytes, size);
    if (size > 0)
        memcpy(bytes + 8, data, size);
    format_source_of_memory(bytes, 8 + size + data_bytes, &source);
    tensor_list_init(&list);
    if (safetensors_find(&source, &list) == 0 && tensor_list_finish(&list, source.size) == 0 &&
        list.count > 0 &&
        list.tensors[list.count - 1].offset + list.tensors[list.count - 1].size > source.size)
        abort();
    tensor_list_release(&list);
    free(bytes);
    return 0;
}
