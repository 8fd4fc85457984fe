#include "control/place.h"

#include "store/base/error.h"

#include <errno.h>
#include <string.h>

enum { PATH_SIZE_MAX = 4095 };
#define INODE_MAX (1ull << 53) /* as far as JSON numbers are exact */

/* Every step holds the directory it is in. `path` is taken apart. */
static int walk(struct tfs_volume *volume, char *path, struct tfs_attr *ret)
{
    struct tfs_attr here;
    int err = tfs_lookup(volume, TFS_ROOT_INODE, ".", &here);
    char *rest = NULL;

    if (err)
        return err;
    for (char *name = strtok_r(path, "/", &rest); name; name = strtok_r(NULL, "/", &rest)) {
        struct tfs_attr next;

        err = tfs_lookup(volume, here.inode, name, &next);
        tfs_forget(volume, here.inode, 1);
        if (err)
            return err;
        here = next;
    }
    *ret = here;
    return 0;
}

int control_place_get(struct control_call *call, struct tfs_attr *ret)
{
    char copy[PATH_SIZE_MAX + 1];
    const char *path = NULL;
    uint64_t inode = 0;
    int err = control_request_number(call->request, "inode", 1, INODE_MAX, &inode);

    if (!err)
        err = control_request_text(call->request, "path", PATH_SIZE_MAX, &path);
    if (err || (inode && path))
        return control_fail(call, -EINVAL, "the file is named by one of 'inode' and 'path'");
    if (inode) {
        /* "." of a file is the file, for NFS; so it also is held from here on. */
        err = tfs_lookup(call->volume, inode, ".", ret);
        return err ? control_fail(call, err, "inode %llu: %s", (unsigned long long)inode,
                                  tfs_error_text(err))
                   : 0;
    }
    memcpy(copy, path ? path : "", path ? strlen(path) + 1 : 1);
    err = walk(call->volume, copy, ret);
    return err ? control_fail(call, err, "'%s' in the store: %s", path, tfs_error_text(err)) : 0;
}

void control_place_put(struct control_call *call, const struct tfs_attr *attr)
{
    tfs_forget(call->volume, attr->inode, 1);
}
