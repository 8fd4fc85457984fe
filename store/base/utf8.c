#include "store/base/utf8.h"

#include <stdint.h>

/* The least character that needs so many bytes. */
static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

size_t tfs_utf8_size(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t character = bytes[0];

    if (bytes[0] == '\0')
        return 0;
    if (size == 1)
        return 1;
    if (bytes[0] < 0xc0 || bytes[0] > 0xf4)
        return 0;
    character &= 0x7fu >> size;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0; /* the end of the string too */
        character = character << 6 | (bytes[i] & 0x3f);
    }
    if (character < least[size] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    return size;
}
