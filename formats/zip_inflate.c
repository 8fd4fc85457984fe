/*
 * Inflated piece by piece, and never kept.
 */
#include "formats/zip_inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIECE_BYTES = 256 << 10, WINDOW_BITS = 15 };

struct inflation {
    z_stream stream;
    uint64_t raw_size; /* that came out */
    uLong crc;
    int state; /* zlib's: Z_OK, Z_STREAM_END, or an error */
    uint8_t in[PIECE_BYTES];
    uint8_t out[PIECE_BYTES];
};

/* What `in` holds goes through, as far as it does. More than `limit` bytes are not wanted. */
static void piece_inflate(struct inflation *inflation, size_t size, uint64_t limit)
{
    z_stream *stream = &inflation->stream;

    stream->next_in = inflation->in;
    stream->avail_in = (uInt)size;
    do {
        size_t got;

        stream->next_out = inflation->out;
        stream->avail_out = PIECE_BYTES;
        inflation->state = inflate(stream, Z_NO_FLUSH);
        if (inflation->state == Z_BUF_ERROR)
            inflation->state = Z_OK; /* it wants more, which is no error yet */
        got = PIECE_BYTES - stream->avail_out;
        inflation->crc = crc32(inflation->crc, inflation->out, (uInt)got);
        inflation->raw_size += got;
    } while (inflation->state == Z_OK && stream->avail_out == 0 && inflation->raw_size <= limit);
}

static int member_inflate(const struct format_source *source, struct tensor_list *list,
                          const struct zip_deflated *member, struct inflation *inflation)
{
    uint64_t at = 0;

    while (at < member->size && inflation->state == Z_OK &&
           inflation->raw_size <= member->raw_size) {
        size_t size = (size_t)tfs_min_u64(PIECE_BYTES, member->size - at);
        int err = tensor_list_read(list, source, member->offset + at, inflation->in, size);

        if (err < 0)
            return err;
        piece_inflate(inflation, size, member->raw_size);
        at += size;
    }
    return 0;
}

int zip_inflate_check(const struct format_source *source, struct tensor_list *list,
                      const struct zip_deflated *member, const char **ret_reason)
{
    struct inflation *inflation = calloc(1, sizeof(*inflation));
    int err;

    if (!inflation)
        return -ENOMEM;
    if (inflateInit2(&inflation->stream, -WINDOW_BITS) != Z_OK) {
        free(inflation);
        return -ENOMEM;
    }
    err = member_inflate(source, list, member, inflation);
    if (err == 0) {
        *ret_reason = NULL;
        if (inflation->state != Z_STREAM_END)
            *ret_reason = "it cannot be inflated";
        else if (inflation->raw_size != member->raw_size)
            *ret_reason = "it inflates to another size than the archive says";
        else if (member->crc != 0 && inflation->crc != member->crc)
            *ret_reason = "it inflates to another CRC-32 than the archive has";
    }
    (void)inflateEnd(&inflation->stream); /* its memory only */
    free(inflation);
    return err;
}
