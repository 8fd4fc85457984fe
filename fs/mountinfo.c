#include "fs/mountinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape_octal(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
            *to++ = (char)(((from[1] - '0') << 6) | ((from[2] - '0') << 3) | (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Fields: 3 the device, 5 the mountpoint, 6 the mount's flags; behind a lone "-" the type, the
 * source and the filesystem's flags. The kernel's text, so no more is checked than it takes not to
 * read what is not there. */
bool mountinfo_parse(char *line, const char *mountpoint, struct mountinfo *ret)
{
    char *rest = line;
    char *fields[6];
    char *minor_text;
    char *tail;
    unsigned long number;

    line[strcspn(line, "\n")] = '\0';
    tail = strstr(line, " - ");
    if (!tail)
        return false;
    *tail = '\0';
    tail += 3;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(fields); i++) {
        fields[i] = strsep(&rest, " ");
        if (!fields[i])
            return false;
    }
    unescape_octal(fields[4]);
    if (strcmp(fields[4], mountpoint) != 0)
        return false;
    number = strtoul(fields[2], &minor_text, 10);
    ret->device = makedev(number, *minor_text == ':' ? strtoul(minor_text + 1, NULL, 10) : 0);
    (void)snprintf(ret->type, sizeof(ret->type), "%s", strsep(&tail, " "));
    (void)strsep(&tail, " "); /* the source; both accept that nothing is left */
    (void)snprintf(ret->flags, sizeof(ret->flags), ",%s,%s,", fields[5], tail ? tail : "");
    return true;
}

bool mountinfo_find(const char *mountpoint, struct mountinfo *ret)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;

    if (!mounts)
        return false;
    while (getline(&line, &capacity, mounts) > 0)
        found = mountinfo_parse(line, mountpoint, ret) || found; /* a later one is above */
    free(line);
    (void)fclose(mounts); /* read only */
    return found;
}

bool mountinfo_has(const struct mountinfo *mount, const char *flag)
{
    char wanted[64];

    if (snprintf(wanted, sizeof(wanted), ",%s,", flag) >= (int)sizeof(wanted))
        return false;
    return strstr(mount->flags, wanted) != NULL;
}
