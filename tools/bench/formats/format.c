#include "tools/bench/formats/format.h"

static const struct format *const formats[] = {&format_safetensors, &format_torch, &format_npy,
                                               &format_raw};

const struct format *format_by_index(unsigned index)
{
    return index < TFS_ARRAY_COUNT(formats) ? formats[index] : NULL;
}
