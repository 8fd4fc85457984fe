/*
 * Goal: no bytes lead a parser of formats/ outside the file or make it contradict itself.
 * Method: the input is a file. What it claims to be is told from its first bytes, so one target
 * covers the safetensors header, the zip directory with the pickle in it, npy and GGUF.
 */
#include "formats/tensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void list_verify(const struct tensor_list *list, uint64_t file_size)
{
    uint64_t end = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct tensor_place *tensor = &list->tensors[i];

        if (tensor->offset < end || tensor->size > file_size ||
            tensor->offset > file_size - tensor->size ||
            tensor->size % dtype_width(tensor->dtype) != 0)
            abort();
        end = tensor->offset + tensor->size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format_source source;
    struct tensor_list list;

    format_source_of_memory(data, size, &source);
    if (tensors_find(&source, &list) == 0)
        list_verify(&list, source.size);
    else if (list.count != 0)
        abort();
    tensor_list_release(&list);
    return 0;
}
