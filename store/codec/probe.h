/*
 * Finding out what the bytes of a buffer are, from samples, without a hint from outside. Private to
 * this folder.
 *
 * The probe cuts a buffer into segments of one kind each and gives each a plan. It is
 * deterministic, and carries over from one buffer of a frame to the next, so that a frame of one
 * kind is looked into once.
 */
#ifndef TFS_CODEC_PROBE_H
#define TFS_CODEC_PROBE_H

#include "store/codec/part.h"

enum {
    PROBE_LANES = 8, /* positions in a buffer modulo 8 */
    PROBE_WINDOWS_MAX = 16,
    PROBE_SEGMENTS_MAX = PROBE_WINDOWS_MAX,
};

/*
 * How often the bytes at one position modulo 8 equal those 8, 16, ... 64 bytes on. The rate is
 * 1/256 for noise, 1 for constants, and about 2^-H in between, so that width and phase of elements
 * show in which lanes are alike.
 */
struct probe_signature {
    uint32_t equal[PROBE_LANES];
    uint32_t pairs;     /* compared, in each lane */
    uint32_t high_bits; /* bytes with the highest bit set, ... */
    uint32_t bytes;     /* ... of so many */
};

struct probe_segment {
    uint32_t start, end; /* offsets in the buffer */
    struct probe_signature signature;
    struct part_plan plan;
};

struct probe {
    struct probe_segment segments[PROBE_SEGMENTS_MAX];
    uint32_t count;   /* at least 1 after probe_buffer; they cover the buffer without gaps */
    bool has_history; /* `history` is the last segment of the frame's buffer before this one */
    struct probe_segment history;
};

/* Start a frame. */
void probe_init(struct probe *probe);

/* Look at the next buffer of the frame, 1..FRAME_BUFFER_SIZE bytes. Errors: -ENOMEM. */
TFS_MUST_CHECK int probe_buffer(struct codec_ctx *ctx, struct probe *probe, const uint8_t *data,
                                uint32_t size);

/* Remember how the buffer's last segment went, for the next buffer. */
void probe_buffer_done(struct probe *probe);

/* Add what a sample of `size` bytes at data + offset shows; offset is a multiple of 8. */
void probe_signature_add(struct probe_signature *signature, const uint8_t *data, uint32_t offset,
                         uint32_t size);

/* The rate of equal bytes in lanes lane, lane + step, ..., in 1/65536. */
uint32_t probe_rate(const struct probe_signature *signature, unsigned lane, unsigned step);

/* Decide how to store a segment, from its signature and more samples. classify.c. */
TFS_MUST_CHECK int classify_segment(struct codec_ctx *ctx, const uint8_t *data,
                                    struct probe_segment *segment);

#endif
