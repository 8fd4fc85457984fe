/*
 * The store of a mountpoint for which none was named.
 *
 * Its name is that of the mountpoint: no two of them have the same. Older versions wrote '-' for
 * '/' and let '-' be, so that /a/b and /a-b shared a store. What they have made is found under that
 * name, unless it may be another's: each store that was found by name keeps a note of whose it is.
 */
#ifndef TFS_FS_DEFAULT_STORE_H
#define TFS_FS_DEFAULT_STORE_H

#include "fs/options.h"

/*
 * The name of a store by its absolute mountpoint, as systemd-escape --path has it: '/' becomes '-',
 * '-' and '\' become \x2d and \x5c. Other letters stay. Errors: -ENAMETOOLONG.
 */
TFS_MUST_CHECK int default_store_name(const char *mountpoint, char ret[PATH_MAX]);

/*
 * Where the store is, be it there or not: $TENSORFS_STORE, else under $XDG_DATA_HOME, else under
 * the home directory.
 *
 * Errors: -ENOENT (no home), -ENAMETOOLONG; with a line for the user: -ENOTUNIQ (it may be another
 * mountpoint's), -EEXIST (it is).
 */
TFS_MUST_CHECK int default_store_find(const char *mountpoint, char ret[PATH_MAX],
                                      struct tfs_message *message);

/*
 * Note in the store that it is this mountpoint's, if it is found under its name, and has no note.
 * Without one it works too, until the name is ambiguous: errors are only logged.
 */
void default_store_claim(const char *store, const char *mountpoint);

#endif
