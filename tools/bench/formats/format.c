#include "tools/bench/formats/format.h"

#include <string.h>

static const struct format *const formats[] = {&format_safetensors, &format_torch, &format_npy,
                                               &format_raw};

const struct format *format_by_index(unsigned index)
{
    return index < TFS_ARRAY_COUNT(formats) ? formats[index] : NULL;
}

const struct format *format_by_name(const char *name)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(formats); i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}
