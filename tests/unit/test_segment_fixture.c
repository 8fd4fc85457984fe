#include "test_segment_fixture.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

static int number_take(void *context, uint64_t *ret)
{
    struct fixture *fixture = context;

    *ret = ++fixture->number;
    return 0;
}

int fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *parent = getenv("TMPDIR");

    assert_non_null(fixture);
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/tfs-segment-XXXXXX",
                   parent ? parent : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->buffer = aligned_alloc(UNIT, BUFFER_SIZE);
    assert_non_null(fixture->buffer);
    fixture->options = (struct segments_options){
        .path = fixture->directory,
        .direct = true,
        .segment_size_max = TFS_MIB,
        .take_number = number_take,
        .context = fixture,
    };
    assert_int_equal(segments_open(&fixture->options, &fixture->segments), 0);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[400];
    int err = segments_close(fixture->segments);

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    if (system(command) != 0)
        err = -EIO;
    free(fixture->buffer);
    free(fixture);
    return err;
}

void fixture_reopen(struct fixture *fixture)
{
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), 0);
    assert_int_equal(segments_open(&fixture->options, &fixture->segments), 0);
}

bool is_in_memory(const struct fixture *fixture)
{
    struct statfs status;

    return statfs(fixture->directory, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;

    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        bytes[i] = (uint8_t)(state >> 56);
    }
}

int append_bytes(struct tfs_segments *segments, const void *data, size_t size,
                 struct segment_position *ret)
{
    struct iovec piece = segment_piece(data, size);

    return segments_appendv(segments, &piece, 1, ret);
}

struct segment_position append(struct fixture *fixture, size_t size, uint64_t seed)
{
    struct segment_position at;

    assert_true(size <= BUFFER_SIZE);
    fill(fixture->buffer, size, seed);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, size, &at), 0);
    return at;
}

void assert_stored(struct fixture *fixture, struct segment_position at, size_t skip, size_t size,
                   uint64_t seed)
{
    uint8_t *expected = malloc(skip + size);
    const uint8_t *data;

    assert_non_null(expected);
    fill(expected, skip + size, seed);
    at.offset += skip;
    assert_int_equal(
        segments_read(fixture->segments, at, size, fixture->buffer, BUFFER_SIZE, &data), 0);
    assert_memory_equal(data, expected + skip, size);
    free(expected);
}
