/*
 * What a command is about: a mount, asked through its socket, or a store that is not mounted, which
 * the first call opens and the close closes. A command sees no difference.
 */
#ifndef TFS_CTL_TARGET_H
#define TFS_CTL_TARGET_H

#include "store/base/defs.h"

struct cJSON;
struct ctl_target;

/*
 * `path` is a store's directory, or any path on a mount. NULL is refused.
 *
 * Ownership: returned; ctl_target_close(), which accepts NULL.
 * Errors:    said.
 */
TFS_MUST_CHECK int ctl_target_open(const char *path, struct ctl_target **ret);

/*
 * For commands about one file or tree: `path` lies on a mount, or, with `store`, it is one within
 * the volume ("/" is its root). The request gets the member that names the file to the command:
 * "inode" or "path".
 *
 * Errors: said.
 */
TFS_MUST_CHECK int ctl_target_open_path(const char *store, const char *path, struct cJSON *request,
                                        struct ctl_target **ret);
void ctl_target_close(struct ctl_target *target);
void ctl_target_close_p(struct ctl_target **target);

bool ctl_target_is_mounted(const struct ctl_target *target);

/* Given: item. Errors end the call. */
typedef int ctl_item_function(void *context, struct cJSON *item);

/* A request of this command without arguments; NULL when there is no memory. cJSON_Delete(). */
struct cJSON *ctl_request_new(const char *command);

/*
 * Ask. Items go to on_item (NULL: they are dropped), progress to the console's bar.
 *
 * Ownership: request is borrowed; *ret_result is freed with cJSON_Delete().
 * Errors:    said; -ECANCELED after Ctrl-C, which is not.
 */
struct ctl_question {
    const struct cJSON *request;
    ctl_item_function *on_item;
    void *context;
};
TFS_MUST_CHECK int ctl_target_call(struct ctl_target *target, const struct ctl_question *question,
                                   struct cJSON **ret_result);

/* For tfs_cleanup. */
void ctl_json_free_p(struct cJSON **json);

#endif
