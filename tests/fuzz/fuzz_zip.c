/*
 * The directory of a zip archive, with the pickle and the arrays in it.
 */
#include "formats/zip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format_source source;
    struct tensor_list list;

    format_source_of_memory(data, size, &source);
    tensor_list_init(&list);
    if (zip_find(&source, &list) == 0 && tensor_list_finish(&list, size) == 0 && list.count > 0 &&
        list.tensors[list.count - 1].offset + list.tensors[list.count - 1].size > size)
        abort();
    tensor_list_release(&list);
    return 0;
}
