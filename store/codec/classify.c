/*
 * From a segment's signature to the plan for storing it:
 *
 *   1. lanes that repeat with period w are elements of w bytes;
 *   2. a lane at the rate of noise is stored raw, one that never changes as a constant, others are
 * coded;
 *   3. the coded lane that repeats most is taken for an exponent: entropies of a sample decide
 * whether it becomes cheaper when the sign is rotated out of it;
 *   4. what does not look like a float may have repeated strings: zstd on a small sample decides.
 *
 * A sample is wrong at times. Then the part is stored larger than need be, and part_encode notices
 * planes that do not shrink.
 */
#include "store/base/bytes.h"
#include "store/codec/codec_ctx.h"
#include "store/codec/entropy.h"
#include "store/codec/probe.h"

#include <string.h>

enum {
    RATE_ONE = 65536,
    RATE_CONSTANT = RATE_ONE - RATE_ONE / 64,
    RATE_SPARSE = RATE_ONE * 6 / 10,
    PAIRS_TELLING = 1536,
    EXTRA_SAMPLES = 8,
    EDGE_MAX = 512,
    PIECES = 16, /* of a sample of elements */
    PIECE_ELEMENTS = 32,
    SAMPLE_TELLING = 480, /* elements from which the entropy of a nearly full byte can be told */
    TRIAL_SIZE_BYTES = ENTROPY_SAMPLES_MAX, /* elements of a byte are slow to code: look longer */
    TRIAL_SIZE_WIDE = ENTROPY_SAMPLES_MAX / 2,
    TRIAL_HEADER = 96, /* about what zstd spends on the sample's own tables */
    LEVEL_SPARSE = 1,
    LEVEL_TEXT = 3,
    /* In 1/ENTROPY_BIT bit. Above this a plane is not worth its coding. */
    BITS_RAW = ENTROPY_BIT * 8 - ENTROPY_BIT / 4,
    /* What coding a plane must save, because it takes time. */
    BITS_PENALTY = ENTROPY_BIT / 4,
    BITS_ROTATION_GAIN = ENTROPY_BIT / 32,
    BITS_EXPONENT_MAX = ENTROPY_BIT * 19 / 4, /* of the exponents of one tensor: seldom above 4 */
};

static unsigned width_of(const struct part_plan *plan)
{
    return 1u << plan->width_log;
}

/* Whether so many equal pairs are no more than noise of nearly 8 bits a byte gives. */
static bool is_noise(uint64_t equal, uint64_t pairs)
{
    /* 1.2 times the rate of noise goes with an entropy 0.15 bit lower; and two deviations for luck.
     */
    int64_t excess = (int64_t)(256 * equal) - (int64_t)(pairs * 12 / 10);

    return excess <= 0 || (uint64_t)(excess * excess) <= 4 * 256 * pairs;
}

/* Whether two lanes may belong to the same byte of an element. */
static bool lanes_alike(const struct probe_signature *signature, unsigned a, unsigned b)
{
    uint64_t rate_a = probe_rate(signature, a, PROBE_LANES);
    uint64_t rate_b = probe_rate(signature, b, PROBE_LANES);
    uint64_t high = tfs_max_u64(rate_a, rate_b);
    uint64_t low = tfs_min_u64(rate_a, rate_b);
    uint64_t allowed = tfs_min_u64(high, RATE_ONE - low) / 4 + RATE_ONE / 512;

    if (high - low <= allowed)
        return true;
    /* Two deviations of a count of high * pairs. */
    return (high - low - allowed) * (high - low - allowed) <=
           4 * high * RATE_ONE / signature->pairs;
}

static uint8_t find_width_log(const struct probe_signature *signature)
{
    for (unsigned width_log = 0; width_log < PLANES_WIDTH_LOG_MAX; width_log++) {
        unsigned width = 1u << width_log;
        bool alike = true;

        for (unsigned lane = 0; alike && lane + width < PROBE_LANES; lane++)
            alike = lanes_alike(signature, lane, lane + width);
        if (alike)
            return (uint8_t)width_log;
    }
    return PLANES_WIDTH_LOG_MAX;
}

static enum part_intent find_intent(const struct probe_signature *signature, unsigned plane,
                                    unsigned width)
{
    uint64_t equal = 0;
    uint64_t pairs = 0;

    for (unsigned lane = plane; lane < PROBE_LANES; lane += width) {
        equal += signature->equal[lane];
        pairs += signature->pairs;
    }
    if (is_noise(equal, pairs))
        return PART_INTENT_RAW;
    return probe_rate(signature, plane, width) >= RATE_CONSTANT ? PART_INTENT_CONSTANT
                                                                : PART_INTENT_HUFFMAN;
}

static unsigned count_intents(const struct part_plan *plan, enum part_intent intent)
{
    unsigned count = 0;

    for (unsigned k = 0; k < width_of(plan); k++)
        count += plan->intents[k] == intent;
    return count;
}

/* The two highest bytes of sampled elements, if `top` is where the highest is; plain and rotated.
 */
struct top_sample {
    uint16_t high[2][ENTROPY_SYMBOLS];
    uint16_t second[2][ENTROPY_SYMBOLS];
    uint32_t count;
};

static void top_sample_take(struct top_sample *sample, const uint8_t *data,
                            const struct probe_segment *segment, unsigned phase, unsigned width)
{
    uint32_t step =
        (uint32_t)tfs_align_up((segment->end - segment->start + PIECES - 1) / PIECES, 8);

    memset(sample, 0, sizeof(*sample));
    for (uint32_t piece = segment->start; piece < segment->end; piece += step) {
        uint32_t at = (uint32_t)tfs_align_up(piece, 8) + phase;

        for (unsigned i = 0; i < PIECE_ELEMENTS && at + width <= segment->end; i++, at += width) {
            uint8_t high = data[at + width - 1];
            uint8_t second = data[at + width - 2];

            sample->high[0][high]++;
            sample->second[0][second]++;
            sample->high[1][(uint8_t)(high << 1 | second >> 7)]++;
            sample->second[1][(uint8_t)(second << 1 | high >> 7)]++;
            sample->count++;
        }
    }
}

/* Bits that a plane of this entropy costs, time included. */
static uint32_t plane_cost(uint32_t bits)
{
    return bits >= BITS_RAW ? ENTROPY_BIT * 8 : bits + BITS_PENALTY;
}

/* How many samples of the highest byte are exponents of ordinary numbers, 2^-79 to 2^17. */
static bool mostly_exponents(const uint16_t counts[ENTROPY_SYMBOLS], uint32_t total)
{
    uint32_t inside = 0;

    for (unsigned i = 0x30; i < 0x90; i++)
        inside += counts[i];
    return inside * 10 >= total * 9;
}

/* How many samples of the highest byte are those of small integers. */
static bool mostly_small_integers(const uint16_t counts[ENTROPY_SYMBOLS], uint32_t total)
{
    uint32_t inside = 0;

    for (unsigned i = 0; i < 8; i++)
        inside += counts[i] + counts[ENTROPY_SYMBOLS - 1 - i];
    return inside * 2 >= total;
}

/* The coded lane that repeats most: where an exponent would be. Returns: false when none is coded.
 */
static bool find_top_lane(const struct probe_signature *signature, const struct part_plan *plan,
                          unsigned *ret)
{
    uint32_t best = 0;

    for (unsigned k = 0; k < width_of(plan); k++) {
        uint32_t rate = probe_rate(signature, k, width_of(plan));

        if (plan->intents[k] == PART_INTENT_HUFFMAN && rate >= best) {
            best = rate;
            *ret = k;
        }
    }
    return best > 0;
}

static enum codec_kind name_kind(const struct part_plan *plan, const struct top_sample *sample,
                                 uint32_t exponent_bits)
{
    unsigned constants = count_intents(plan, PART_INTENT_CONSTANT);
    bool is_float = mostly_exponents(sample->high[1], sample->count);

    switch (plan->width_log) {
    case 1:
        if (is_float && plan->rotated && exponent_bits < BITS_EXPONENT_MAX)
            return CODEC_KIND_BF16;
        return mostly_small_integers(sample->high[0], sample->count) ? CODEC_KIND_INT16
                                                                     : CODEC_KIND_FP16;
    case 2:
        if (!is_float)
            return CODEC_KIND_INT32;
        return constants > 0 ? CODEC_KIND_FP32_SHORT : CODEC_KIND_FP32;
    case 3:
        return constants > 4 ? CODEC_KIND_INT64 : CODEC_KIND_FP64;
    default:
        return CODEC_KIND_BYTES;
    }
}

/*
 * Elements that differ by their place (a norm's weights beside others, parts of complex numbers)
 * repeat at a multiple of their width. Coded in that width they become smaller, but they are called
 * floats of the narrowest width in which nearly all of them have ordinary exponents.
 */
static enum codec_kind name_narrow_float(const struct codec_ctx *ctx, const uint8_t *data,
                                         const struct probe_segment *segment)
{
    const struct part_plan *plan = &segment->plan;
    struct top_sample sample;

    for (unsigned width = 2; width < width_of(plan); width *= 2) {
        top_sample_take(&sample, data, segment, plan->phase % width, width);
        if (!mostly_exponents(sample.high[1], sample.count))
            continue;
        if (width == 4)
            return plan->intents[0] == PART_INTENT_CONSTANT ? CODEC_KIND_FP32_SHORT
                                                            : CODEC_KIND_FP32;
        return entropy_estimate(&ctx->entropy, sample.high[1], sample.count) < BITS_EXPONENT_MAX
                   ? CODEC_KIND_BF16
                   : CODEC_KIND_FP16;
    }
    return plan->kind;
}

/* Renumber the intents from lanes to the planes of elements that start at `phase`. */
static void plan_set_phase(struct part_plan *plan, unsigned phase)
{
    unsigned width = width_of(plan);
    uint8_t intents[PLANES_MAX];

    for (unsigned k = 0; k < width; k++)
        intents[k] = plan->intents[(phase + k) % width];
    memcpy(plan->intents, intents, width);
    plan->phase = (uint8_t)phase;
}

/* Take elements to start after lane `top`, and see whether the rotation pays. */
static void consider_rotation(struct codec_ctx *ctx, const uint8_t *data,
                              struct probe_segment *segment, unsigned top)
{
    struct part_plan *plan = &segment->plan;
    const struct entropy_table *table = &ctx->entropy;
    unsigned width = width_of(plan);
    struct top_sample sample;
    uint32_t high[2], second[2], cost[2];
    bool second_is_constant;

    plan_set_phase(plan, (top + 1) % width);
    second_is_constant = plan->intents[width - 2] == PART_INTENT_CONSTANT;
    top_sample_take(&sample, data, segment, plan->phase, width);
    for (int rotated = 0; rotated < 2; rotated++) {
        high[rotated] = entropy_estimate(table, sample.high[rotated], sample.count);
        second[rotated] = ENTROPY_BIT * 8;
        if (sample.count >= SAMPLE_TELLING)
            second[rotated] = entropy_estimate(table, sample.second[rotated], sample.count);
        cost[rotated] = plane_cost(high[rotated]) + plane_cost(second[rotated]);
    }
    plan->rotated = !second_is_constant && cost[1] + BITS_ROTATION_GAIN < cost[0];
    if (!second_is_constant && sample.count >= SAMPLE_TELLING)
        plan->intents[width - 2] =
            second[plan->rotated] >= BITS_RAW ? PART_INTENT_RAW : PART_INTENT_HUFFMAN;
    plan->kind = name_kind(plan, &sample, high[1]);
    plan->kind = name_narrow_float(ctx, data, segment);
}

/* A contiguous sample, and what the plan and plain zstd would make of it. */
struct trial {
    const uint8_t *data;
    uint32_t size;
    uint32_t count; /* elements; `size` and the start fit whole ones of any width */
    uint32_t plane_bytes[PLANES_MAX]; /* by entropy */
    uint32_t planned_bytes;           /* of all planes and a table */
};

static bool is_sparse(const struct trial *trial)
{
    uint32_t zeros = 0;

    for (uint32_t i = 0; i < trial->size; i++)
        zeros += trial->data[i] == 0;
    return zeros * 10 > trial->size * 4;
}

/*
 * Bits per symbol of a Huffman code for these counts: the entropy, except that the most frequent
 * symbol takes a whole bit however frequent it is.
 */
static uint32_t huffman_estimate(const struct entropy_table *table,
                                 uint16_t counts[ENTROPY_SYMBOLS], uint32_t total)
{
    unsigned top = 0;
    uint32_t rest;

    for (unsigned i = 1; i < ENTROPY_SYMBOLS; i++)
        if (counts[i] > counts[top])
            top = i;
    rest = total - counts[top];
    if (rest * 2 > total)
        return entropy_estimate(table, counts, total);
    counts[top] = 0;
    return ENTROPY_BIT + entropy_estimate(table, counts, rest) * rest / total;
}

/* Estimate each plane from its entropy. A short sample may be the fullest of all: no plane is given
 * up. */
static void trial_estimate(struct codec_ctx *ctx, struct trial *trial, const struct part_plan *plan)
{
    unsigned width = width_of(plan);

    trial->planned_bytes = TRIAL_HEADER;
    for (unsigned k = 0; k < width; k++) {
        uint32_t bits = plan->intents[k] == PART_INTENT_CONSTANT ? 0 : ENTROPY_BIT * 8;

        if (plan->intents[k] == PART_INTENT_HUFFMAN) {
            uint16_t counts[ENTROPY_SYMBOLS] = {0};

            for (uint32_t i = 0; i < trial->count; i++)
                counts[trial->data[i * width + k]]++;
            bits =
                (uint32_t)tfs_min_u64(bits, huffman_estimate(&ctx->entropy, counts, trial->count));
        }
        trial->plane_bytes[k] = (uint32_t)((uint64_t)bits * trial->count / (8 * ENTROPY_BIT));
        trial->planned_bytes += trial->plane_bytes[k];
    }
}

/* Give matches to the planes where they pay. Returns: the sample's bytes then, or -ENOMEM. */
static int64_t trial_planes(struct codec_ctx *ctx, const struct trial *trial,
                            struct part_plan *plan)
{
    unsigned width = width_of(plan);
    int64_t sum = 0;

    for (unsigned k = 0; k < width; k++) {
        int64_t size;

        for (uint32_t i = 0; i < trial->count; i++)
            ctx->planes[i] = trial->data[i * width + k];
        size = codec_zstd_compress(ctx, LEVEL_SPARSE, ctx->planes, trial->count, ctx->compressed,
                                   CODEC_COMPRESSED_SIZE);
        if (size < 0)
            return size;
        if (size < trial->plane_bytes[k])
            plan->intents[k] = PART_INTENT_MATCHES;
        sum += (int64_t)tfs_min_u64((uint64_t)size, trial->plane_bytes[k]);
    }
    return sum;
}

static void plan_set_matches(struct part_plan *plan, const struct trial *trial)
{
    bool sparse = is_sparse(trial);

    memset(plan, 0, sizeof(*plan));
    plan->kind = sparse ? CODEC_KIND_SPARSE : CODEC_KIND_TEXT;
    plan->level = sparse ? LEVEL_SPARSE : LEVEL_TEXT;
    plan->intents[0] = PART_INTENT_MATCHES;
}

/* See whether repeated strings are worth more than the plan. */
static int consider_matches(struct codec_ctx *ctx, const uint8_t *data,
                            struct probe_segment *segment)
{
    struct part_plan *plan = &segment->plan;
    struct part_plan split = *plan;
    uint32_t start = segment->start + (segment->end - segment->start) / 2;
    struct trial trial = {.data = NULL};
    uint32_t size = plan->width_log == 0 ? TRIAL_SIZE_BYTES : TRIAL_SIZE_WIDE;
    int64_t whole, planes;

    if (segment->end - segment->start <= size)
        start = segment->start;
    start = (uint32_t)tfs_align_up(start, PROBE_LANES) + plan->phase;
    if (start + PROBE_LANES > segment->end)
        return 0;
    trial.data = data + start;
    trial.size = (uint32_t)tfs_min_u64(size, segment->end - start) & ~(PROBE_LANES - 1u);
    trial.count = trial.size >> plan->width_log;
    trial_estimate(ctx, &trial, plan);
    whole = codec_zstd_compress(ctx, LEVEL_SPARSE, trial.data, trial.size, ctx->compressed,
                                CODEC_COMPRESSED_SIZE);
    if (whole < 0)
        return (int)whole;
    if (whole * 16 > (int64_t)trial.planned_bytes * 15)
        return 0;

    if (plan->width_log > 0) {
        split = *plan;
        split.level = LEVEL_SPARSE;
        planes = trial_planes(ctx, &trial, &split);
        if (planes < 0)
            return (int)planes;
        if (planes * 10 < whole * 9) {
            *plan = split;
            return 0;
        }
    }
    plan_set_matches(plan, &trial);
    return 0;
}

/* Whether strings of 16 bytes that start at elements come again within a short sample. */
static bool strings_repeat(const uint8_t *data, const struct probe_segment *segment)
{
    enum { STRING = 16, SLOTS_LOG = 9, REPEATS = 16 };
    uint16_t last[1u << SLOTS_LOG] = {0}; /* where a string with this hash was, plus 1 */
    uint32_t start = segment->start + (segment->end - segment->start) / 2;
    uint32_t step = width_of(&segment->plan);
    uint32_t repeats = 0;

    start = (uint32_t)tfs_align_up(start, PROBE_LANES) + segment->plan.phase;
    for (uint32_t at = 0; at + STRING <= TRIAL_SIZE_WIDE && start + at + STRING <= segment->end;
         at += step) {
        const uint8_t *string = data + start + at;
        uint64_t hash = (tfs_get_le64(string) ^ tfs_get_le64(string + 8) * 0x9E3779B97F4A7C15ull) *
                        0xC2B2AE3D27D4EB4Full;
        uint16_t *slot = &last[hash >> (64 - SLOTS_LOG)];

        if (*slot > 0 && memcmp(data + start + *slot - 1, string, STRING) == 0)
            repeats++;
        *slot = (uint16_t)(at + 1);
    }
    return repeats >= REPEATS;
}

/* Floats have noise and one or two coded planes; anything else may repeat itself. */
static bool may_have_matches(const uint8_t *data, const struct probe_segment *segment, unsigned top)
{
    const struct part_plan *plan = &segment->plan;

    if (plan->width_log == 0)
        return true;
    if (count_intents(plan, PART_INTENT_HUFFMAN) <= 2 && plan->kind != CODEC_KIND_INT32 &&
        plan->kind != CODEC_KIND_INT64 &&
        probe_rate(&segment->signature, top, width_of(plan)) < RATE_SPARSE)
        return false;
    return strings_repeat(data, segment);
}

/* Text repeats itself at many distances, as if it had elements; but no byte has its highest bit
 * set. */
static bool may_be_text(const struct probe_signature *signature)
{
    for (unsigned lane = 0; lane < PROBE_LANES; lane++)
        if (probe_rate(signature, lane, PROBE_LANES) >= RATE_CONSTANT)
            return false;
    return signature->high_bits == 0;
}

/* A segment of few windows has too few pairs to judge by; take more from between them. */
static void signature_refine(const uint8_t *data, struct probe_segment *segment)
{
    uint32_t step = (uint32_t)tfs_align_up((segment->end - segment->start) / EXTRA_SAMPLES + 1, 8);
    uint32_t start = segment->start;

    if (start > 0)
        start +=
            (uint32_t)tfs_min_u64(step / 2, EDGE_MAX); /* bytes of the kind before may be here */
    for (uint32_t at = (uint32_t)tfs_align_up(start, 8); at < segment->end; at += step)
        probe_signature_add(&segment->signature, data, at, segment->end - at);
}

int classify_segment(struct codec_ctx *ctx, const uint8_t *data, struct probe_segment *segment)
{
    struct part_plan *plan = &segment->plan;
    unsigned top = 0;
    unsigned width;

    memset(plan, 0, sizeof(*plan));
    plan->kind = CODEC_KIND_INCOMPRESSIBLE;
    if (segment->signature.pairs < PAIRS_TELLING)
        signature_refine(data, segment);
    if (segment->signature.pairs == 0)
        return 0;
    plan->level = LEVEL_SPARSE;
    if (!may_be_text(&segment->signature))
        plan->width_log = find_width_log(&segment->signature);
    width = width_of(plan);
    for (unsigned k = 0; k < width; k++)
        plan->intents[k] = (uint8_t)find_intent(&segment->signature, k, width);

    if (count_intents(plan, PART_INTENT_RAW) == width) {
        plan->width_log = 0;
        return 0;
    }
    if (!find_top_lane(&segment->signature, plan, &top)) {
        /* Constants, and perhaps noise. */
        plan->kind = width == 8   ? CODEC_KIND_INT64
                     : width == 4 ? CODEC_KIND_INT32
                                  : CODEC_KIND_SPARSE;
        return 0;
    }
    plan->kind = CODEC_KIND_BYTES;
    if (width > 1)
        consider_rotation(ctx, data, segment, top);
    if (may_have_matches(data, segment, top))
        return consider_matches(ctx, data, segment);
    return 0;
}
