#include "tools/ctl/tar.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BLOCK_SIZE = 512 };
#define FILE_SIZE_MAX ((1ull << 33) - 1) /* eleven octal digits */

/* One block; texts end with a zero where there is room. */
struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155];
    char padding[12];
};
_Static_assert(sizeof(struct tar_header) == BLOCK_SIZE, "a header is one block");

/* The sum of all bytes with the checksum itself taken as blanks. */
static void seal(struct tar_header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;

    memset(header->checksum, ' ', sizeof(header->checksum));
    for (size_t i = 0; i < sizeof(*header); i++)
        sum += bytes[i];
    (void)snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

int tar_add(FILE *out, const char *name, const void *data, size_t size)
{
    static const char zeros[BLOCK_SIZE];
    struct tar_header header = {.mode = "0000600",
                                .uid = "0000000",
                                .gid = "0000000",
                                .type = '0',
                                .magic = "ustar",
                                .version = {'0', '0'}};
    size_t rest = size % BLOCK_SIZE;

    if (strlen(name) > TAR_NAME_SIZE_MAX)
        return -ENAMETOOLONG;
    if (size > FILE_SIZE_MAX)
        return -EFBIG;
    (void)snprintf(header.name, sizeof(header.name), "%s", name);
    (void)snprintf(header.size, sizeof(header.size), "%011llo", (unsigned long long)size);
    (void)snprintf(header.mtime, sizeof(header.mtime), "%011llo", (unsigned long long)time(NULL));
    seal(&header);
    (void)fwrite(&header, sizeof(header), 1, out);
    (void)fwrite(data, size, 1, out);
    if (rest)
        (void)fwrite(zeros, BLOCK_SIZE - rest, 1, out);
    return ferror(out) ? -EIO : 0; /* of any write above */
}

int tar_end(FILE *out)
{
    static const char zeros[2 * BLOCK_SIZE];

    (void)fwrite(zeros, sizeof(zeros), 1, out);
    return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
