/*
 * Cutting a buffer into segments of one kind.
 *
 * A buffer is looked at in up to 16 windows, 256 bytes of each. Neighbouring windows with like
 * signatures form a segment; where they differ, the place of the change is found by bisection. A
 * boundary need not be exact: bytes on the wrong side are stored with the wrong plan, larger but
 * right.
 *
 * What makes this cheap: counting equal bytes is three instructions for 16 bytes, where histograms
 * and entropies would take a cache line and a table for each byte.
 */
#include "store/codec/probe.h"

#include <string.h>

enum {
    WINDOW_SIZE_MIN = 1024,
    SAMPLE_SIZE = 256,
    BISECT_SIZE = 256, /* the distance at which bisection ends */
    LAGS = 8,          /* in words of 8 bytes */
    VECTOR_SIZE = 16,
    CACHE_LINE = 64,
};

typedef uint8_t byte_vector __attribute__((vector_size(VECTOR_SIZE)));

void probe_init(struct probe *probe)
{
    probe->count = 0;
    probe->has_history = false;
}

static inline byte_vector load(const uint8_t *at)
{
    byte_vector v;

    memcpy(&v, at, sizeof(v));
    return v;
}

void probe_signature_add(struct probe_signature *signature, const uint8_t *data, uint32_t offset,
                         uint32_t size)
{
    uint32_t reach = LAGS * PROBE_LANES;
    byte_vector sum = {0};
    byte_vector high_bits = {0};
    uint32_t steps = 0;

    if (size < reach + VECTOR_SIZE)
        return;
    if (size > SAMPLE_SIZE)
        size = SAMPLE_SIZE;
    /* At most 12 steps of 8 lags: a byte holds the sum. */
    for (uint32_t at = 0; at + reach + VECTOR_SIZE <= size; at += VECTOR_SIZE, steps++) {
        byte_vector here = load(data + offset + at);

        high_bits += here >> 7;
        for (uint32_t lag = 1; lag <= LAGS; lag++)
            sum -= (byte_vector)(here == load(data + offset + at + lag * PROBE_LANES));
    }
    for (unsigned lane = 0; lane < PROBE_LANES; lane++) {
        signature->equal[lane] += (uint32_t)sum[lane] + sum[lane + PROBE_LANES];
        signature->high_bits += (uint32_t)high_bits[lane] + high_bits[lane + PROBE_LANES];
    }
    signature->bytes += steps * VECTOR_SIZE;
    signature->pairs += steps * 2 * LAGS;
}

uint32_t probe_rate(const struct probe_signature *signature, unsigned lane, unsigned step)
{
    uint64_t equal = 0;
    uint64_t lanes = 0;

    for (; lane < PROBE_LANES; lane += step, lanes++)
        equal += signature->equal[lane];
    if (signature->pairs == 0)
        return 0;
    return (uint32_t)((equal << 16) / (signature->pairs * lanes));
}

/*
 * Whether the rates a / count_a and b / count_b differ by more than `floor` (1/65536) and half of
 * the larger. Pairs overlap and neighbours are alike, so this is wider than counting statistics
 * would have it. All is multiplied by both counts, because this runs for each window and divisions
 * are slow.
 */
static bool rates_differ(uint64_t a, uint64_t count_a, uint64_t b, uint64_t count_b, uint64_t floor)
{
    uint64_t x = a * count_b;
    uint64_t y = b * count_a;
    uint64_t high = x > y ? x : y;
    uint64_t low = x > y ? y : x;

    return high - low > (floor * count_a * count_b >> 16) + high / 2;
}

static bool signatures_differ(const struct probe_signature *a, const struct probe_signature *b)
{
    enum { LANE_FLOOR = 65536 / 32, ALL_FLOOR = 65536 / 256, HIGH_BITS_FLOOR = 65536 / 8 };
    uint64_t all_a = 0, all_b = 0;

    for (unsigned lane = 0; lane < PROBE_LANES; lane++) {
        if (rates_differ(a->equal[lane], a->pairs, b->equal[lane], b->pairs, LANE_FLOOR))
            return true;
        all_a += a->equal[lane];
        all_b += b->equal[lane];
    }
    return rates_differ(all_a, (uint64_t)a->pairs * PROBE_LANES, all_b,
                        (uint64_t)b->pairs * PROBE_LANES, ALL_FLOOR) ||
           rates_differ(a->high_bits, a->bytes, b->high_bits, b->bytes, HIGH_BITS_FLOOR);
}

static void signature_merge(struct probe_signature *to, const struct probe_signature *from)
{
    for (unsigned lane = 0; lane < PROBE_LANES; lane++)
        to->equal[lane] += from->equal[lane];
    to->pairs += from->pairs;
    to->high_bits += from->high_bits;
    to->bytes += from->bytes;
}

/* How many bytes have their highest bit set, in 1/65536: none in text, half in noise. */
static uint32_t high_bit_rate(const struct probe_signature *signature)
{
    if (signature->bytes == 0)
        return 0;
    return (uint32_t)(((uint64_t)signature->high_bits << 16) / signature->bytes);
}

static uint32_t difference(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* How far a signature is from another: the sum of all differences. */
static uint32_t distance(const struct probe_signature *a, const struct probe_signature *b)
{
    uint32_t sum = 0;

    for (unsigned lane = 0; lane < PROBE_LANES; lane++) {
        uint32_t rate_a = probe_rate(a, lane, PROBE_LANES);
        uint32_t rate_b = probe_rate(b, lane, PROBE_LANES);

        sum += difference(rate_a, rate_b);
    }
    return sum + difference(high_bit_rate(a), high_bit_rate(b));
}

/* Where, between two samples of different kinds, the second kind starts. */
static uint32_t find_change(const uint8_t *data, uint32_t from, uint32_t to,
                            const struct probe_signature *before,
                            const struct probe_signature *after)
{
    while (to - from > BISECT_SIZE) {
        uint32_t middle = (uint32_t)tfs_align_down(from + (to - from) / 2, PROBE_LANES);
        struct probe_signature signature = {.pairs = 0};

        probe_signature_add(&signature, data, middle, SAMPLE_SIZE);
        if (distance(&signature, before) <= distance(&signature, after))
            from = middle;
        else
            to = middle;
    }
    return to;
}

static void samples_prefetch(const uint8_t *data, uint32_t size, uint32_t window_size)
{
    for (uint32_t at = 0; at < size; at += window_size)
        for (uint32_t line = 0; line < SAMPLE_SIZE && at + line < size; line += CACHE_LINE)
            __builtin_prefetch(data + at + line);
}

/* Cut the buffer where the signatures of neighbouring windows differ. */
static void segments_find(struct probe *probe, const uint8_t *data, uint32_t size)
{
    uint32_t window_size = (uint32_t)tfs_max_u64(
        WINDOW_SIZE_MIN, tfs_align_up((size + PROBE_WINDOWS_MAX - 1) / PROBE_WINDOWS_MAX, 8));
    struct probe_segment *segment = &probe->segments[0];

    samples_prefetch(data, size, window_size);
    memset(segment, 0, sizeof(*segment));
    probe_signature_add(&segment->signature, data, 0, size);
    for (uint32_t at = window_size; at < size; at += window_size) {
        struct probe_signature signature = {.pairs = 0};

        probe_signature_add(&signature, data, at, size - at);
        if (signature.pairs > 0 && signatures_differ(&segment->signature, &signature)) {
            segment->end = find_change(data, at - window_size, at, &segment->signature, &signature);
            segment++;
            memset(segment, 0, sizeof(*segment));
            segment->start = segment[-1].end;
        }
        signature_merge(&segment->signature, &signature);
    }
    segment->end = size;
    probe->count = (uint32_t)(segment - probe->segments) + 1;
}

static bool plans_are_equal(const struct part_plan *a, const struct part_plan *b)
{
    return a->kind == b->kind && a->width_log == b->width_log && a->rotated == b->rotated &&
           a->phase == b->phase && a->level == b->level &&
           memcmp(a->intents, b->intents, sizeof(a->intents)) == 0;
}

/* Join neighbours whose plans came out the same. */
static void segments_join(struct probe *probe)
{
    uint32_t kept = 0;

    for (uint32_t i = 1; i < probe->count; i++) {
        struct probe_segment *last = &probe->segments[kept];

        if (plans_are_equal(&last->plan, &probe->segments[i].plan)) {
            signature_merge(&last->signature, &probe->segments[i].signature);
            last->end = probe->segments[i].end;
        } else {
            probe->segments[++kept] = probe->segments[i];
        }
    }
    probe->count = kept + 1;
}

int probe_buffer(struct codec_ctx *ctx, struct probe *probe, const uint8_t *data, uint32_t size)
{
    const struct probe_segment *known = probe->has_history ? &probe->history : NULL;

    segments_find(probe, data, size);
    for (uint32_t i = 0; i < probe->count; i++) {
        struct probe_segment *segment = &probe->segments[i];
        int err;

        if (known && !signatures_differ(&known->signature, &segment->signature)) {
            segment->plan = known->plan;
        } else {
            err = classify_segment(ctx, data, segment);
            if (err < 0)
                return err;
        }
        known = segment;
    }
    segments_join(probe);
    return 0;
}

void probe_buffer_done(struct probe *probe)
{
    probe->history = probe->segments[probe->count - 1];
    probe->has_history = true;
}
