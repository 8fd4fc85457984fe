/*
 * POSIX ACLs as the kernel passes them in extended attributes: a version and entries of tag,
 * permissions and id (linux/posix_acl_xattr.h). The rules are those of acl(5) and IEEE 1003.1e
 * draft 17: inheritance at creation, and the mask that follows chmod. Checking access is the
 * kernel's work.
 *
 * Pure functions of bytes.
 */
#ifndef TFS_ACL_H
#define TFS_ACL_H

#include "store/base/defs.h"

#define ACL_XATTR_ACCESS  "system.posix_acl_access"
#define ACL_XATTR_DEFAULT "system.posix_acl_default"

enum { ACL_ENTRIES_MAX = 1024 };

/* Errors: -EINVAL (not an ACL, or not a valid one). */
TFS_MUST_CHECK int acl_check(const void *bytes, size_t size);

/* Set the permission bits of *mode to what the ACL says. Returns true when the ACL is nothing but
 * those bits. `bytes` were checked. */
bool acl_to_mode(const void *bytes, size_t size, uint32_t *mode);

/* Change the ACL in place to what chmod(mode) makes of it. */
void acl_chmod(void *bytes, size_t size, uint32_t mode);

/*
 * A new inode under a directory with a default ACL: change the copy in place to the inode's access
 * ACL, and *mode to the mode that results. Returns true when the ACL is nothing but the mode and
 * need not be stored.
 */
bool acl_inherit(void *bytes, size_t size, uint32_t *mode);

#endif
