/*
 * Text that is UTF-8, whatever came in.
 */
#include "tools/common/output.h"

#include "store/base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* U+FFFD, the character that stands for what is none. */
static const char replacement[] = "\xef\xbf\xbd";

char *output_utf8(const char *text)
{
    char *out = malloc((sizeof(replacement) - 1) * strlen(text) + 1);
    size_t used = 0;

    while (out && *text != '\0') {
        size_t size = tfs_utf8_size(text);

        (void)memcpy(out + used, size ? text : replacement, size ? size : sizeof(replacement) - 1);
        used += size ? size : sizeof(replacement) - 1;
        text += size ? size : 1;
    }
    if (out)
        out[used] = '\0';
    return out;
}
