#include "store/base/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

uint64_t tfs_size_unit(const char *text)
{
    static const char letters[] = "KMGT";
    const char *letter;

    if (*text == '\0' || strcasecmp(text, "B") == 0)
        return 1;
    letter = strchr(letters, *text & ~0x20); /* either case */
    if (!letter || *letter == '\0')
        return 0;
    text++;
    if (*text != '\0' && strcasecmp(text, "B") != 0 && strcasecmp(text, "iB") != 0)
        return 0;
    return 1ull << (10 * (letter - letters + 1));
}

int tfs_parse_size(const char *text, uint64_t *ret)
{
    unsigned long long number;
    uint64_t size;
    uint64_t unit;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    number = strtoull(text, &end, 10);
    unit = tfs_size_unit(end);
    if (unit == 0)
        return -EINVAL;
    if (errno == ERANGE || tfs_mul_overflows(number, unit, &size))
        return -EOVERFLOW;
    *ret = size;
    return 0;
}
