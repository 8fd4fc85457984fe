/*
 * ACLs. An ACL has exactly one entry for the owner, the owning group and others; with named users
 * or groups it has a mask, which bounds them and the owning group, and which the group bits of the
 * mode then show.
 */
#include "store/names/acl.h"

#include "store/base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

static size_t entry_count(size_t size)
{
    return (size - sizeof(struct posix_acl_xattr_header)) / sizeof(struct posix_acl_xattr_entry);
}

static uint8_t *entry_at(void *bytes, size_t index)
{
    return (uint8_t *)bytes + sizeof(struct posix_acl_xattr_header) +
           index * sizeof(struct posix_acl_xattr_entry);
}

static const uint8_t *const_entry_at(const void *bytes, size_t index)
{
    return (const uint8_t *)bytes + sizeof(struct posix_acl_xattr_header) +
           index * sizeof(struct posix_acl_xattr_entry);
}

static uint16_t tag_of(const uint8_t *entry)
{
    return tfs_get_le16(entry);
}

static uint16_t permissions_of(const uint8_t *entry)
{
    return tfs_get_le16(entry + 2);
}

static uint32_t id_of(const uint8_t *entry)
{
    return tfs_get_le32(entry + 4);
}

static void set_permissions(uint8_t *entry, uint32_t permissions)
{
    tfs_put_le16(entry + 2, (uint16_t)permissions);
}

/* Whether an entry before this one names the same user or group. */
static bool is_named_before(const void *bytes, size_t index)
{
    const uint8_t *entry = const_entry_at(bytes, index);

    for (size_t i = 0; i < index; i++) {
        const uint8_t *other = const_entry_at(bytes, i);

        if (tag_of(other) == tag_of(entry) && id_of(other) == id_of(entry))
            return true;
    }
    return false;
}

int acl_check(const void *bytes, size_t size)
{
    unsigned owners = 0, groups = 0, others = 0, masks = 0, named = 0;

    if (size < sizeof(struct posix_acl_xattr_header) ||
        (size - sizeof(struct posix_acl_xattr_header)) % sizeof(struct posix_acl_xattr_entry) ||
        tfs_get_le32(bytes) != POSIX_ACL_XATTR_VERSION || entry_count(size) > ACL_ENTRIES_MAX)
        return -EINVAL;
    for (size_t i = 0; i < entry_count(size); i++) {
        const uint8_t *entry = const_entry_at(bytes, i);

        if (permissions_of(entry) & ~07)
            return -EINVAL;
        switch (tag_of(entry)) {
        case ACL_USER_OBJ:
            owners++;
            break;
        case ACL_GROUP_OBJ:
            groups++;
            break;
        case ACL_OTHER:
            others++;
            break;
        case ACL_MASK:
            masks++;
            break;
        case ACL_USER:
        case ACL_GROUP:
            if (is_named_before(bytes, i))
                return -EINVAL;
            named++;
            break;
        default:
            return -EINVAL;
        }
    }
    if (owners != 1 || groups != 1 || others != 1 || masks > 1 || (named && !masks))
        return -EINVAL;
    return 0;
}

/* The entry that the group bits of the mode stand for: the mask where there is one. */
static size_t group_class_entry(const void *bytes, size_t size)
{
    size_t group = 0;

    for (size_t i = 0; i < entry_count(size); i++) {
        if (tag_of(const_entry_at(bytes, i)) == ACL_MASK)
            return i;
        if (tag_of(const_entry_at(bytes, i)) == ACL_GROUP_OBJ)
            group = i;
    }
    return group;
}

bool acl_to_mode(const void *bytes, size_t size, uint32_t *mode)
{
    uint32_t bits = 0;
    bool minimal = true;

    for (size_t i = 0; i < entry_count(size); i++) {
        const uint8_t *entry = const_entry_at(bytes, i);

        if (tag_of(entry) == ACL_USER_OBJ)
            bits |= (uint32_t)permissions_of(entry) << 6;
        else if (tag_of(entry) == ACL_OTHER)
            bits |= permissions_of(entry);
        else if (tag_of(entry) != ACL_GROUP_OBJ)
            minimal = false;
    }
    bits |= (uint32_t)permissions_of(const_entry_at(bytes, group_class_entry(bytes, size))) << 3;
    *mode = (*mode & ~0777u) | bits;
    return minimal;
}

void acl_chmod(void *bytes, size_t size, uint32_t mode)
{
    for (size_t i = 0; i < entry_count(size); i++) {
        uint8_t *entry = entry_at(bytes, i);

        if (tag_of(entry) == ACL_USER_OBJ)
            set_permissions(entry, mode >> 6 & 07);
        else if (tag_of(entry) == ACL_OTHER)
            set_permissions(entry, mode & 07);
    }
    set_permissions(entry_at(bytes, group_class_entry(bytes, size)), mode >> 3 & 07);
}

bool acl_inherit(void *bytes, size_t size, uint32_t *mode)
{
    uint32_t asked = *mode;
    uint8_t *group = entry_at(bytes, group_class_entry(bytes, size));

    for (size_t i = 0; i < entry_count(size); i++) {
        uint8_t *entry = entry_at(bytes, i);

        if (tag_of(entry) == ACL_USER_OBJ)
            set_permissions(entry, permissions_of(entry) & (asked >> 6 & 07));
        else if (tag_of(entry) == ACL_OTHER)
            set_permissions(entry, permissions_of(entry) & (asked & 07));
    }
    set_permissions(group, permissions_of(group) & (asked >> 3 & 07));
    return acl_to_mode(bytes, size, mode);
}
