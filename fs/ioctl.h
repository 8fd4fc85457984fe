/*
 * What a tensorfs mount answers beyond POSIX, by ioctl(2) on an open file. For users' programs too:
 * this header includes nothing of ours.
 */
#ifndef TFS_FS_IOCTL_H
#define TFS_FS_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* One call covers 256 MiB of a file with blocks of 256 KiB. */
#define TFS_BLOCK_CRCS_MAX 1024

/*
 * The checksums that the store keeps of a file's blocks, made when the data was written: each the
 * CRC32C (polynomial 0x1EDC6F41 reflected, register starts as all ones, inverted at the end:
 * "123456789" gives 0xE3069283) of the block's bytes as a reader sees them.
 *
 * Blocks lie end to end from the file's first byte; only the last may be shorter than block_size,
 * and then its checksum covers the bytes up to the end of the file. A block that was never written
 * (a hole) has the checksum of its zeros. Nothing is read or decoded to answer.
 *
 * Structure sizes and field order are fixed: this is an ABI.
 */
struct tfs_block_crcs {
    __u64 offset;     /* in: any byte of the first block that is wanted */
    __u32 count_max;  /* in: how many are wanted, 1 .. TFS_BLOCK_CRCS_MAX */
    __u32 count;      /* out: how many follow; 0 when offset is at or behind the end of the file */
    __u32 block_size; /* out: bytes in a block of this file, a power of two */
    __u32 flags;      /* in: 0; out: 0, for later */
    __u32 crc[TFS_BLOCK_CRCS_MAX]; /* out: crc[0] is the block that holds `offset` */
};

/*
 * Needs a descriptor of a regular file that is open for reading.
 *
 * Errors: EAGAIN  some of these blocks are not yet in the store: fsync(2) the file, then ask again
 *         EINVAL  count_max is 0 or too large, flags are not 0
 *         EBADF   not open for reading
 *         ENOTTY  not a file of a tensorfs mount
 *         EIO     the store cannot be read
 */
#define TFS_IOC_BLOCK_CRCS _IOWR('T', 0x10, struct tfs_block_crcs)

#endif
