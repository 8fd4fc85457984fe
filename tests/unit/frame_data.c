#include "tests/unit/frame_data.h"

#include <stdlib.h>
#include <string.h>

void data_frame_init(struct data_frame *frame, uint32_t raw_size, uint32_t block_size)
{
    memset(frame, 0, sizeof(*frame));
    frame->capacity = frame_stored_size_max(raw_size, block_size);
    frame->raw = aligned_alloc(64, tfs_align_up(raw_size, 64));
    frame->encoded = malloc(frame->capacity);
    if (!frame->raw || !frame->encoded)
        abort();
    for (uint32_t i = 0; i * FRAME_BUFFER_SIZE < raw_size; i++)
        frame->buffers[i] = frame->raw + (size_t)i * FRAME_BUFFER_SIZE;
    frame->source = (struct frame_source){
        .buffers = frame->buffers,
        .raw_size = raw_size,
        .block_size = block_size,
        .tag = {.inode = 42, .offset = 1 << 20},
    };
}

int64_t data_frame_encode_plain(struct data_frame *frame, struct codec_ctx *ctx,
                                const struct codec_spec *spec)
{
    const struct frame_source *source = &frame->source;
    uint32_t payload = frame_plain_offset(frame_block_count(source->raw_size, source->block_size));
    struct frame_view view;

    free(frame->encoded);
    frame->capacity = (size_t)payload + source->raw_size;
    frame->encoded = malloc(frame->capacity);
    if (!frame->encoded)
        abort();
    frame->source.plain = true;
    frame->encoded_size = frame_encode(ctx, spec, source, frame->encoded, frame->capacity);
    if (frame->encoded_size > 0 && frame_open(frame->encoded, payload, &view) == 0 && view.plain)
        memcpy(frame->encoded + payload, frame->raw, source->raw_size);
    return frame->encoded_size;
}

void data_frame_release(struct data_frame *frame)
{
    free(frame->raw);
    free(frame->encoded);
}
