#include "tools/bench/system/procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool procfs_text(const char *path, const char *key, char *ret_text, size_t size)
{
    char line[1024];
    bool found = false;
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file)) {
        const char *value = line + strlen(key);

        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        value += strspn(value, " \t");
        found = *value == ':';
        value += found + strspn(value + found, " \t");
        if (found)
            (void)snprintf(ret_text, size, "%.*s", (int)strcspn(value, "\n"), value);
    }
    (void)fclose(file); /* read-only, nothing to lose */
    return found;
}

uint64_t procfs_bytes(const char *path, const char *key)
{
    char text[64];

    return procfs_text(path, key, text, sizeof(text)) ? strtoull(text, NULL, 10) * TFS_KIB : 0;
}
