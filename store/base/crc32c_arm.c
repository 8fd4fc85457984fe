/*
 * CRC32C with the ARMv8 instructions, one stream. Compiled only where the compiler's target has
 * them.
 */
#include "store/base/bytes.h"
#include "store/base/crc32c_internal.h"

#include <arm_acle.h>

uint32_t crc32c_update_arm(uint32_t state, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8)
        state = __crc32cd(state, tfs_get_le64(data));
    for (; size > 0; data++, size--)
        state = __crc32cb(state, *data);
    return state;
}
