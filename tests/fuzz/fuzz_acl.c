/*
 * ACLs of any bytes, as programs and the index give them: refused, or all that is done with them
 * keeps them valid and agrees with the mode.
 *
 * The first two bytes of an input are the mode.
 */
#include "store/base/bytes.h"
#include "store/names/acl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t asked, mode, inherited;
    uint8_t *acl;

    if (size < 2)
        return 0;
    asked = tfs_get_le16(data);
    data += 2;
    size -= 2;
    if (acl_check(data, size) < 0)
        return 0;
    acl = malloc(size);
    assert(acl);
    memcpy(acl, data, size);

    mode = asked;
    (void)acl_to_mode(acl, size, &mode); /* what it says of the ACL is not looked at here */
    assert((mode & ~0777u) == (asked & ~0777u));
    acl_chmod(acl, size, asked);
    assert(acl_check(acl, size) == 0);
    mode = 0;
    (void)acl_to_mode(acl, size, &mode);
    assert(mode == (asked & 0777));

    memcpy(acl, data, size);
    inherited = asked;
    (void)acl_inherit(acl, size, &inherited);
    assert(acl_check(acl, size) == 0);
    assert((inherited & ~asked) == 0); /* never more than was asked for */
    mode = asked;
    (void)acl_to_mode(acl, size, &mode);
    assert(mode == inherited);
    free(acl);
    return 0;
}
