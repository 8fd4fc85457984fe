#include "tools/common/units.h"

#include "store/base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct units_text units_bytes(uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct units_text out;
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < TFS_ARRAY_COUNT(names)) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out.text, sizeof(out.text), unit == 0 ? "%.0f %s" : "%.1f %s", value,
                   names[unit]);
    return out;
}

struct units_text units_rate(double bytes_per_second)
{
    struct units_text out;

    if (bytes_per_second >= 1e9)
        (void)snprintf(out.text, sizeof(out.text), "%.2f GB/s", bytes_per_second / 1e9);
    else
        (void)snprintf(out.text, sizeof(out.text), "%.1f MB/s", bytes_per_second / 1e6);
    return out;
}

struct units_text units_seconds(double seconds)
{
    struct units_text out;

    if (seconds >= 100)
        (void)snprintf(out.text, sizeof(out.text), "%.0f min %02.0f s",
                       (double)(uint64_t)(seconds / 60), (double)((uint64_t)seconds % 60));
    else if (seconds >= 1)
        (void)snprintf(out.text, sizeof(out.text), "%.2f s", seconds);
    else if (seconds >= 1e-3)
        (void)snprintf(out.text, sizeof(out.text), "%.1f ms", seconds * 1e3);
    else
        (void)snprintf(out.text, sizeof(out.text), "%.1f us", seconds * 1e6);
    return out;
}

int units_parse_size(const char *text, uint64_t *ret)
{
    char *end;
    double value;
    uint64_t unit;

    if (!isdigit((unsigned char)*text))
        return -EINVAL; /* no signs, no blanks, no "inf" */
    if (text[0] == '0' && tolower((unsigned char)text[1]) == 'x')
        return -EINVAL;
    value = strtod(text, &end);
    unit = tfs_size_unit(end);
    if (unit == 0)
        return -EINVAL;
    if (value * (double)unit > 0x1p63)
        return -ERANGE;
    *ret = (uint64_t)(value * (double)unit);
    return 0;
}

int units_parse_count(const char *text, uint64_t *ret)
{
    char *end;
    unsigned long long value;

    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (*end != '\0')
        return -EINVAL;
    if (errno == ERANGE)
        return -ERANGE;
    *ret = value;
    return 0;
}
