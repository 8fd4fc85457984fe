/*
 * The segments as segment.h has them, on top of an engine.
 *
 * 1. An append is noted in the group after the engine took it: a sync that starts later covers it.
 * 2. The first sync that fails for good is sticky: what it covered may be lost, and the next one
 *    could be reported as a success.
 */
#include "store/base/error.h"
#include "store/segment/segment_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const struct segment_engine *engine_of(const struct segment_engine *wanted)
{
    return wanted ? wanted : &segment_local;
}

const char *segments_engine_folder(const struct segment_engine *engine)
{
    return engine_of(engine)->folder;
}

static void segments_free(struct tfs_segments *segments)
{
    segment_budget_release(&segments->budget);
    tfs_group_release(&segments->appends);
    tfs_mutex_release(&segments->lock);
    free(segments);
}

static int engine_open(struct tfs_segments *segments, const struct segments_options *options)
{
    int err = segments->engine->open(options, &segments->budget, &segments->store);

    if (err < 0)
        return err;
    /* Rows cannot say other places. */
    assert(tfs_is_power_of_two(segments->store->alignment));
    assert(segments->store->alignment <= SEGMENT_ALIGNMENT);
    segment_budget_begin(&segments->budget, segments->engine, segments->store, options);
    return 0;
}

int segments_open(const struct segments_options *options, struct tfs_segments **ret)
{
    struct segments_options engines = *options;
    struct tfs_segments *segments;
    int err;

    if (options->segment_size_max < SEGMENT_ALIGNMENT || options->segment_size_max > INT64_MAX)
        return tfs_fail(-EINVAL, "segments of %" PRIu64 " bytes", options->segment_size_max);
    assert(options->read_only || options->take_number);
    segments = calloc(1, sizeof(*segments));
    if (!segments)
        return -ENOMEM;
    engines.segment_size_max = tfs_align_down(options->segment_size_max, SEGMENT_ALIGNMENT);
    segments->engine = engine_of(options->engine);
    segments->read_only = options->read_only;
    segments->segment_size_max = engines.segment_size_max;
    tfs_mutex_init(&segments->lock, TFS_RANK_LEAF);
    tfs_group_init(&segments->appends);
    segment_budget_init(&segments->budget);
    err = engine_open(segments, &engines);
    if (err < 0) {
        segments_free(segments);
        return err;
    }
    *ret = segments;
    return 0;
}

int segments_close(struct tfs_segments *segments)
{
    int first;
    int err;

    if (!segments)
        return 0;
    first = segments_seal(segments);
    err = segments_sync(segments);
    segments->engine->close(segments->store);
    segments_free(segments);
    return first < 0 ? first : err;
}

uint32_t segments_alignment(const struct tfs_segments *segments)
{
    return segments->store->alignment;
}

int segments_resume(struct tfs_segments *segments, uint64_t number, uint64_t offset)
{
    if (segments->read_only)
        return -EROFS;
    if (!segments->engine->resume)
        return -EOPNOTSUPP;
    if (offset % segments->store->alignment != 0 || offset > segments->segment_size_max)
        return tfs_fail(-EUCLEAN, "segment %016" PRIx64 ": cannot go on at %" PRIu64, number,
                        offset);
    return segments->engine->resume(segments->store, number, offset);
}

static int pieces_check(const struct tfs_segments *segments, const struct iovec *pieces, int count,
                        struct segment_pieces *ret)
{
    uint32_t alignment = segments->store->alignment;
    size_t size = 0;

    if (count < 1 || count > SEGMENT_PIECES_MAX)
        return tfs_fail(-EINVAL, "segments: %d pieces", count);
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len == 0 || pieces[i].iov_len % alignment != 0 ||
            (uintptr_t)pieces[i].iov_base % alignment != 0)
            return tfs_fail(-EINVAL, "segments: %zu bytes at %p are not aligned", pieces[i].iov_len,
                            pieces[i].iov_base);
        size += pieces[i].iov_len; /* of memory that there is: no overflow */
    }
    *ret = (struct segment_pieces){.pieces = pieces, .count = count, .size = size};
    return 0;
}

int segments_appendv(struct tfs_segments *segments, const struct iovec *pieces, int piece_count,
                     struct segment_position *ret)
{
    struct segment_pieces from;
    int err;

    if (segments->read_only)
        return -EROFS;
    err = pieces_check(segments, pieces, piece_count, &from);
    if (err < 0)
        return err;
    if (from.size > segments->segment_size_max)
        return tfs_fail(-EINVAL, "segments: append of %zu bytes, segments have %" PRIu64, from.size,
                        segments->segment_size_max);
    err = segments->engine->append(segments->store, &from, ret);
    if (err < 0)
        return err;
    tfs_mutex_lock(&segments->lock);
    (void)tfs_group_note(&segments->appends); /* who needs the number reads it later */
    tfs_mutex_unlock(&segments->lock);
    return 0;
}

static int engine_sync(void *context)
{
    struct tfs_segments *segments = context;

    return segments->engine->sync(segments->store);
}

int segments_sync(struct tfs_segments *segments)
{
    int err;

    tfs_mutex_lock(&segments->lock);
    err = tfs_group_sync(&segments->appends, &segments->lock, segments->appends.noted, engine_sync,
                         segments);
    tfs_mutex_unlock(&segments->lock);
    return err;
}

int segments_health(struct tfs_segments *segments)
{
    int err;

    tfs_mutex_lock(&segments->lock);
    err = segments->appends.error;
    tfs_mutex_unlock(&segments->lock);
    return err;
}

void segments_sync_counts(struct tfs_segments *segments, uint64_t *ret_asked, uint64_t *ret_made)
{
    tfs_mutex_lock(&segments->lock);
    *ret_asked = segments->appends.asked_count;
    *ret_made = segments->appends.flush_count;
    tfs_mutex_unlock(&segments->lock);
}

size_t segment_read_capacity(uint64_t offset, size_t size)
{
    uint64_t end;

    if (tfs_add_overflows(offset, size, &end) || end > INT64_MAX)
        return SIZE_MAX; /* no buffer is that large */
    return (size_t)(tfs_align_up(end, SEGMENT_ALIGNMENT) -
                    tfs_align_down(offset, SEGMENT_ALIGNMENT));
}

int segments_read(struct tfs_segments *segments, struct segment_position at, size_t size,
                  void *buffer, size_t capacity, const uint8_t **ret_data)
{
    size_t needed = segment_read_capacity(at.offset, size);
    struct iovec piece = {.iov_base = buffer, .iov_len = needed};
    struct segment_pieces into = {.pieces = &piece, .count = 1, .size = needed};
    size_t skip;
    int err;

    if (capacity < needed || (uintptr_t)buffer % SEGMENT_ALIGNMENT != 0)
        return tfs_fail(-EINVAL, "segments: buffer of %zu bytes at %p for %zu bytes at %" PRIu64,
                        capacity, buffer, size, at.offset);
    err = segments->engine->read(segments->store, at, size, &into, &skip);
    if (err == 0)
        *ret_data = (const uint8_t *)buffer + skip;
    return err;
}

int segments_readv(struct tfs_segments *segments, struct segment_position at, size_t size,
                   const struct iovec *pieces, int piece_count)
{
    struct segment_pieces into;
    size_t skip; /* none, from an aligned place */
    int err = pieces_check(segments, pieces, piece_count, &into);

    if (err < 0)
        return err;
    if (at.offset % segments->store->alignment != 0 || size == 0 || size > into.size)
        return tfs_fail(-EINVAL, "segments: %zu bytes at %" PRIu64 " into %zu", size, at.offset,
                        into.size);
    return segments->engine->read(segments->store, at, size, &into, &skip);
}

int segments_punch(struct tfs_segments *segments, struct segment_position at, uint64_t size)
{
    if (segments->read_only)
        return -EROFS;
    if (!segments->engine->punch)
        return -EOPNOTSUPP;
    return segments->engine->punch(segments->store, at, size);
}

int segments_remove(struct tfs_segments *segments, uint64_t number)
{
    if (segments->read_only)
        return -EROFS;
    return segments->engine->remove(segments->store, number);
}

int segments_seal(struct tfs_segments *segments)
{
    return segments->engine->seal(segments->store);
}

bool segments_is_active(struct tfs_segments *segments, uint64_t number)
{
    return segments->engine->is_active(segments->store, number);
}

int segments_visit(struct tfs_segments *segments,
                   int (*visit)(void *context, const struct segment_status *status), void *context)
{
    return segments->engine->visit(segments->store, visit, context);
}
