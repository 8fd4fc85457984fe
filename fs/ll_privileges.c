/*
 * Setgid of a file that the group may not execute. FUSE's word for "drop privileges"
 * (HANDLE_KILLPRIV_V2) leaves it alone; the kernel's own filesystems drop it since Linux 6.2 when
 * the file is changed by one who is not in its group and may not override that (CAP_FSETID). The
 * kernel does not say who is: it is asked here, and only for a file that has the bit.
 */
#include "fs/ll_privileges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_SIZE_MAX = 1 << 20 }; /* 65536 groups of up to 11 characters */

static bool line_has_number(const char *text, unsigned long number)
{
    char *end;

    for (;; text = end) {
        unsigned long found = strtoul(text, &end, 10);

        if (end == text)
            return false;
        if (found == number)
            return true;
    }
}

/* Of the supplementary groups, too. When they cannot be read: no. */
static bool is_in_group(const struct fuse_in_header *caller, uint32_t gid)
{
    static const char name[] = "Groups:";
    char path[64];
    char *line;
    FILE *status;
    bool found = false;

    if (caller->gid == gid)
        return true;
    (void)snprintf(path, sizeof(path), "/proc/%u/status", caller->pid); /* it fits */
    status = fopen(path, "re");
    line = status ? malloc(LINE_SIZE_MAX) : NULL;
    while (line && !found && fgets(line, LINE_SIZE_MAX, status)) {
        if (strncmp(line, name, strlen(name)) == 0)
            found = line_has_number(line + strlen(name), gid);
    }
    free(line);
    if (status)
        (void)fclose(status); /* read-only, nothing to lose */
    return found;
}

int ll_drop_setgid(struct ll *ll, uint64_t inode)
{
    struct tfs_setattr change = {.fields = TFS_SET_MODE};
    struct tfs_attr attr;
    int err = tfs_getattr(ll->volume, inode, &attr);

    if (err < 0 || !(attr.mode & S_ISGID))
        return err;
    change.mode = attr.mode & ~(uint32_t)S_ISGID;
    return tfs_setattr(ll->volume, inode, &change, &attr);
}

int ll_drop_setgid_of_stranger(struct ll *ll, uint64_t inode)
{
    const struct fuse_in_header *caller = ll_current_request();
    struct tfs_attr attr;
    int err;

    if (!caller || caller->uid == 0 || !inode_hints_has(ll->hints, inode, INODE_HINT_SPECIAL))
        return 0;
    err = tfs_getattr(ll->volume, inode, &attr);
    if (err < 0 || !S_ISREG(attr.mode) || (attr.mode & (S_ISGID | S_IXGRP)) != S_ISGID ||
        is_in_group(caller, attr.gid))
        return err;
    return ll_drop_setgid(ll, inode);
}
