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

void data_frame_release(struct data_frame *frame)
{
    free(frame->raw);
    free(frame->encoded);
}
