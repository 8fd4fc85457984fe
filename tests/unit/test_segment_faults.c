/*
 * Segments on a system that misbehaves: short and interrupted transfers, O_DIRECT refused, no
 * preallocation, a sync that fails, files that take one write at a time.
 *
 * Method: this program defines the system calls that the segment store uses; each passes through to
 * the kernel unless a test has armed a fault for it.
 */
#include "test_segment_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fault {
    atomic_int count; /* calls that are still to fail; -1: all */
    int error;        /* 0: do a part only, of `part` bytes */
    size_t part;
    atomic_uint calls; /* all, failed ones included */
};

static struct fault on_pwritev, on_preadv, on_fallocate, on_fdatasync, on_fsync;
static atomic_bool refuse_direct_open;
static void (*in_next_pwritev)(void); /* called within it, once */

/* Returns: whether this call is to fail. */
static bool fault_fires(struct fault *fault)
{
    atomic_fetch_add(&fault->calls, 1);
    if (atomic_load(&fault->count) == 0)
        return false;
    if (atomic_load(&fault->count) > 0)
        atomic_fetch_sub(&fault->count, 1);
    errno = fault->error;
    return true;
}

static void fault_arm(struct fault *fault, int count, int error, size_t part)
{
    fault->error = error;
    fault->part = part;
    atomic_store(&fault->calls, 0);
    atomic_store(&fault->count, count);
}

static int faults_clear(void **state)
{
    struct fault *all[] = {&on_pwritev, &on_preadv, &on_fallocate, &on_fdatasync, &on_fsync};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(all); i++)
        fault_arm(all[i], 0, 0, 0);
    atomic_store(&refuse_direct_open, false);
    return fixture_set_up(state);
}

/* The first `size` bytes of the pieces. Returns: how many pieces that is. */
static int cut_pieces(const struct iovec *pieces, int count, size_t size,
                      struct iovec ret[SEGMENT_PIECES_MAX])
{
    int kept = 0;

    for (; kept < count && size > 0; kept++) {
        ret[kept] = pieces[kept];
        ret[kept].iov_len = tfs_min_u64(size, pieces[kept].iov_len);
        size -= ret[kept].iov_len;
    }
    return kept;
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    void (*call)(void) = in_next_pwritev;
    struct iovec part[SEGMENT_PIECES_MAX];

    in_next_pwritev = NULL;
    if (call)
        call();
    if (fault_fires(&on_pwritev)) {
        if (on_pwritev.error)
            return -1;
        count = cut_pieces(pieces, count, on_pwritev.part, part);
        pieces = part;
    }
    return syscall(SYS_pwritev, fd, pieces, count, offset, 0);
}

ssize_t preadv(int fd, const struct iovec *pieces, int count, off_t offset)
{
    struct iovec part[SEGMENT_PIECES_MAX];

    if (fault_fires(&on_preadv)) {
        if (on_preadv.error)
            return -1;
        count = cut_pieces(pieces, count, on_preadv.part, part);
        pieces = part;
    }
    return syscall(SYS_preadv, fd, pieces, count, offset, 0);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    return fault_fires(&on_fallocate) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int fdatasync(int fd)
{
    return fault_fires(&on_fdatasync) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fault_fires(&on_fsync) ? -1 : (int)syscall(SYS_fsync, fd);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if ((flags & O_DIRECT) && atomic_load(&refuse_direct_open)) {
        /* As kernels before 6.6 did on tmpfs: the file is there, and the open fails. */
        int fd = (int)syscall(SYS_openat, directory, path, flags & ~O_DIRECT, mode);

        if (fd >= 0)
            (void)close(fd);
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

static int append_one(struct fixture *fixture, uint64_t seed, struct segment_position *ret)
{
    fill(fixture->buffer, 4 * UNIT, seed);
    return append_bytes(fixture->segments, fixture->buffer, 4 * UNIT, ret);
}

static void a_write_cut_short_or_interrupted_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fault_arm(&on_pwritev, 2, 0, UNIT);
    at = append(fixture, 4 * UNIT, 1);
    assert_stored(fixture, at, 0, 4 * UNIT, 1);
    fault_arm(&on_pwritev, 3, EINTR, 0);
    at = append(fixture, 4 * UNIT, 2);
    assert_stored(fixture, at, 0, 4 * UNIT, 2);

    /* Buffered writes may stop anywhere. */
    fixture->options.direct = false;
    fixture_reopen(fixture);
    fault_arm(&on_pwritev, 1, 0, UNIT + 100);
    at = append(fixture, 4 * UNIT, 3);
    assert_stored(fixture, at, 0, 4 * UNIT, 3);
}

/* Pieces that follow each other in the file and not in memory. */
enum { SHUFFLED_COUNT = SEGMENT_PIECES_MAX, SHUFFLED_SIZE = SHUFFLED_COUNT * 2 * UNIT };

/* Where transfers stop; the last one not with O_DIRECT. */
static const size_t parts[] = {UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT + 512, UNIT + 100};

static void shuffle(uint8_t *memory, struct iovec ret[SHUFFLED_COUNT])
{
    for (int i = 0; i < SHUFFLED_COUNT; i++)
        ret[i] = (struct iovec){memory + (SHUFFLED_COUNT - 1 - i) * 2 * UNIT, 2 * UNIT};
}

static struct segment_position append_shuffled(struct fixture *fixture, uint64_t seed)
{
    uint8_t *bytes = malloc(SHUFFLED_SIZE);
    struct iovec pieces[SHUFFLED_COUNT];
    struct segment_position at;

    assert_non_null(bytes);
    fill(bytes, SHUFFLED_SIZE, seed);
    shuffle(fixture->buffer, pieces);
    for (int i = 0; i < SHUFFLED_COUNT; i++)
        memcpy(pieces[i].iov_base, bytes + (size_t)i * 2 * UNIT, 2 * UNIT);
    assert_int_equal(segments_appendv(fixture->segments, pieces, SHUFFLED_COUNT, &at), 0);
    free(bytes);
    return at;
}

/* Reads `size` bytes of what append_shuffled() wrote, into pieces. */
static void assert_read_shuffled(struct fixture *fixture, struct segment_position at, size_t size,
                                 uint64_t seed)
{
    uint8_t *expected = malloc(SHUFFLED_SIZE);
    struct iovec pieces[SHUFFLED_COUNT];

    assert_non_null(expected);
    fill(expected, SHUFFLED_SIZE, seed);
    memset(fixture->buffer, 0xA5, SHUFFLED_SIZE);
    shuffle(fixture->buffer, pieces);
    assert_int_equal(segments_readv(fixture->segments, at, size, pieces, SHUFFLED_COUNT), 0);
    for (size_t i = 0; i * 2 * UNIT < size; i++) {
        size_t part = tfs_min_u64(2 * UNIT, size - i * 2 * UNIT);

        assert_memory_equal(pieces[i].iov_base, expected + i * 2 * UNIT, part);
    }
    free(expected);
}

static void pieces_are_written_in_their_order_wherever_a_write_stops(void **state)
{
    struct fixture *fixture = *state;

    for (int direct = 1; direct >= 0; direct--) {
        fixture->options.direct = direct;
        fixture_reopen(fixture);
        for (size_t i = 0; i < TFS_ARRAY_COUNT(parts) - (size_t)direct; i++) {
            struct segment_position at;

            fault_arm(&on_pwritev, 5, 0, parts[i]);
            at = append_shuffled(fixture, i);
            assert_int_equal(atomic_load(&on_pwritev.calls), 6);
            assert_stored(fixture, at, 0, SHUFFLED_SIZE, i);
        }
        fault_arm(&on_pwritev, 2, EINTR, 0);
        assert_stored(fixture, append_shuffled(fixture, 9), 0, SHUFFLED_SIZE, 9);
    }
}

static void pieces_are_read_in_their_order_wherever_a_read_stops(void **state)
{
    struct fixture *fixture = *state;

    for (int direct = 1; direct >= 0; direct--) {
        struct segment_position at;

        fixture->options.direct = direct;
        fixture_reopen(fixture);
        at = append_shuffled(fixture, 7);
        for (size_t i = 0; i < TFS_ARRAY_COUNT(parts) - (size_t)direct; i++) {
            fault_arm(&on_preadv, 5, 0, parts[i]);
            assert_read_shuffled(fixture, at, SHUFFLED_SIZE, 7);
            assert_int_equal(atomic_load(&on_preadv.calls), 6);
        }
        fault_arm(&on_preadv, 2, EINTR, 0);
        assert_read_shuffled(fixture, at, SHUFFLED_SIZE - UNIT - 100, 7);
    }
}

static void pieces_go_on_without_direct_io_where_it_is_refused_late(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fault_arm(&on_pwritev, 1, EINVAL, 0);
    at = append_shuffled(fixture, 1);
    assert_stored(fixture, at, 0, SHUFFLED_SIZE, 1);
    fixture_reopen(fixture);
    fault_arm(&on_preadv, 1, EINVAL, 0);
    assert_read_shuffled(fixture, at, SHUFFLED_SIZE, 1);
}

static void a_write_that_makes_no_progress_is_an_error_and_no_endless_loop(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fault_arm(&on_pwritev, -1, 0, 0);
    assert_int_equal(append_one(fixture, 1, &at), -EIO);
}

static void a_read_cut_short_or_interrupted_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 4 * UNIT, 1);

    fault_arm(&on_preadv, 2, 0, UNIT);
    assert_stored(fixture, at, 100, 3 * UNIT, 1);
    fault_arm(&on_preadv, 2, EINTR, 0);
    assert_stored(fixture, at, 100, 3 * UNIT, 1);
    fixture->options.direct = false;
    fixture_reopen(fixture);
    fault_arm(&on_preadv, 3, 0, 1000);
    assert_stored(fixture, at, 100, 3 * UNIT, 1);
}

static void a_failed_write_uses_up_its_place_and_the_next_one_goes_behind_it(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = {.number = 99};

    fault_arm(&on_pwritev, 1, EIO, 0);
    assert_int_equal(append_one(fixture, 1, &at), -EIO);
    assert_int_equal(at.number, 99);
    at = append(fixture, UNIT, 2);
    assert_int_equal(at.offset, 4 * UNIT);
    fault_arm(&on_pwritev, 1, ENOSPC, 0);
    assert_int_equal(append_one(fixture, 1, &at), -ENOSPC);
    fault_arm(&on_pwritev, 1, EDQUOT, 0);
    assert_int_equal(append_one(fixture, 1, &at), -ENOSPC);
    assert_int_equal(segments_sync(fixture->segments), 0); /* nothing that returned is lost */
    fault_arm(&on_preadv, 1, EIO, 0);
    at = (struct segment_position){1, 4 * UNIT};
    assert_int_equal(
        segments_read(fixture->segments, at, UNIT, fixture->buffer, UNIT, &(const uint8_t *){NULL}),
        -EIO);
    assert_stored(fixture, at, 0, UNIT, 2);
}

static void a_filesystem_that_refuses_direct_io_at_open_is_used_without(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    atomic_store(&refuse_direct_open, true);
    at = append(fixture, 2 * UNIT, 1);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_stored(fixture, at, 10, UNIT, 1);
    fixture_reopen(fixture);
    assert_stored(fixture, at, 10, UNIT, 1); /* and when the first open is a reader's */
}

static void a_filesystem_that_refuses_direct_io_at_the_first_transfer_is_used_without(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fault_arm(&on_pwritev, 1, EINVAL, 0);
    at = append(fixture, 2 * UNIT, 1);
    assert_stored(fixture, at, 10, UNIT, 1);
    fixture_reopen(fixture);
    fault_arm(&on_preadv, 1, EINVAL, 0);
    assert_stored(fixture, at, 10, UNIT, 1);

    /* Refused without O_DIRECT too: an error, not a loop. */
    fault_arm(&on_preadv, -1, EINVAL, 0);
    assert_int_equal(
        segments_read(fixture->segments, at, UNIT, fixture->buffer, UNIT, &(const uint8_t *){NULL}),
        -EIO);
}

static void a_filesystem_without_preallocation_is_used_without(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    if (is_in_memory(fixture))
        skip();
    fault_arm(&on_fallocate, -1, EOPNOTSUPP, 0);
    at = append(fixture, 4 * UNIT, 1);
    assert_int_equal(atomic_load(&on_fallocate.calls), 1);
    (void)append(fixture, 4 * UNIT, 2);
    assert_int_equal(atomic_load(&on_fallocate.calls), 1); /* not asked again */
    assert_stored(fixture, at, 0, 4 * UNIT, 1);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(segments_punch(fixture->segments, at, UNIT), -EOPNOTSUPP);
}

static void preallocation_takes_less_when_a_whole_step_does_not_fit(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    if (is_in_memory(fixture))
        skip();
    fault_arm(&on_fallocate, 1, ENOSPC, 0);
    at = append(fixture, 4 * UNIT, 1);
    assert_int_equal(atomic_load(&on_fallocate.calls), 2);
    assert_stored(fixture, at, 0, 4 * UNIT, 1);
    fault_arm(&on_fallocate, 1, EINTR, 0);
    (void)append(fixture, 4 * UNIT, 2);
    fault_arm(&on_fallocate, -1, ENOSPC, 0);
    assert_int_equal(segments_seal(fixture->segments), 0);
    assert_int_equal(append_one(fixture, 3, &at), -ENOSPC);
}

/* An append that happens while another one is in the middle of its write. */
static struct fixture *beside_fixture;
static struct segment_position beside_at;

static void append_beside(void)
{
    uint8_t *data = aligned_alloc(UNIT, UNIT);

    fill(data, UNIT, 77);
    assert_int_equal(append_bytes(beside_fixture->segments, data, UNIT, &beside_at), 0);
    free(data);
}

static struct segment_position append_with_one_beside(struct fixture *fixture, uint64_t seed)
{
    beside_fixture = fixture;
    in_next_pwritev = append_beside;
    return append(fixture, 4 * UNIT, seed);
}

static int count_active(void *context, const struct segment_status *status)
{
    *(unsigned *)context += status->active;
    return 0;
}

static unsigned active_count(struct fixture *fixture)
{
    unsigned count = 0;

    assert_int_equal(segments_visit(fixture->segments, count_active, &count), 0);
    return count;
}

static void
where_files_take_one_write_at_a_time_an_append_beside_another_goes_elsewhere(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fault_arm(&on_fallocate, -1, EOPNOTSUPP, 0); /* so writes grow the file */
    (void)append(fixture, UNIT, 1);
    at = append_with_one_beside(fixture, 2);
    assert_int_equal(at.number, 1);
    assert_int_equal(beside_at.number, 2);
    assert_int_equal(active_count(fixture), 2);
    assert_stored(fixture, at, 0, 4 * UNIT, 2);
    assert_stored(fixture, beside_at, 0, UNIT, 77);
    assert_int_equal(segments_remove(fixture->segments, 1), -EBUSY);
    assert_int_equal(segments_remove(fixture->segments, 2), -EBUSY);

    assert_int_equal(append(fixture, UNIT, 3).number, 1); /* nobody beside it */
    atomic_store(&on_fdatasync.calls, 0);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 2);
    assert_int_equal(segments_seal(fixture->segments), 0);
    assert_int_equal(active_count(fixture), 0);
    assert_int_equal(append(fixture, UNIT, 4).number, 3);
}

static void buffered_appends_side_by_side_preallocate_each_their_own_file(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fixture->options.direct = false;
    fixture_reopen(fixture);
    at = append_with_one_beside(fixture, 1);
    assert_int_not_equal(at.number, beside_at.number);
    assert_int_equal(segments_read(fixture->segments,
                                   (struct segment_position){beside_at.number, UNIT}, UNIT,
                                   fixture->buffer, UNIT, &(const uint8_t *){NULL}),
                     -EUCLEAN); /* the end of each is known, whatever is preallocated behind it */
    assert_stored(fixture, at, 0, 4 * UNIT, 1);
    assert_stored(fixture, beside_at, 0, UNIT, 77);
}

static bool takes_direct_io(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_DIRECT | O_RDWR, 0600);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static void direct_appends_into_preallocated_space_share_one_file(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    if (is_in_memory(fixture) || !takes_direct_io(fixture->directory))
        skip();
    (void)append(fixture, UNIT, 1);
    at = append_with_one_beside(fixture, 2);
    assert_int_equal(at.number, beside_at.number);
    assert_int_equal(active_count(fixture), 1);
}

static void a_failed_sync_is_reported_until_the_segments_are_closed(void **state)
{
    struct fixture *fixture = *state;

    (void)append(fixture, UNIT, 1);
    fault_arm(&on_fdatasync, 1, EIO, 0);
    assert_int_equal(segments_health(fixture->segments), 0);
    assert_int_equal(segments_sync(fixture->segments), -EIO);
    assert_int_equal(segments_sync(fixture->segments), -EIO); /* the kernel would say 0 now */
    assert_int_equal(segments_health(fixture->segments), -EIO);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 1);
    (void)append(fixture, UNIT, 1); /* written again */
    assert_int_equal(segments_sync(fixture->segments), -EIO);
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), -EIO);
    assert_int_equal(segments_open(&fixture->options, &fixture->segments), 0);
    (void)append(fixture, UNIT, 2);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 2);
}

static void a_failed_sync_of_the_directory_is_reported(void **state)
{
    struct fixture *fixture = *state;

    (void)append(fixture, UNIT, 1);
    fault_arm(&on_fsync, 1, EIO, 0);
    assert_int_equal(segments_sync(fixture->segments), -EIO);
    assert_int_equal(segments_health(fixture->segments), -EIO);
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), -EIO);
}

static void closing_reports_the_sync_that_failed(void **state)
{
    struct fixture *fixture = *state;

    (void)append(fixture, UNIT, 1);
    fault_arm(&on_fdatasync, -1, EIO, 0);
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), -EIO);
    fault_arm(&on_fdatasync, 0, 0, 0);
}

static void a_sync_costs_one_call_per_dirty_file_and_nothing_when_all_is_durable(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 0);
    for (uint64_t i = 0; i < 10; i++)
        (void)append(fixture, UNIT, i);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 1);
    assert_int_equal(atomic_load(&on_fsync.calls), 1); /* the new file's name */
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 1);
    (void)append(fixture, UNIT, 11);
    assert_int_equal(segments_seal(fixture->segments), 0);
    (void)append(fixture, UNIT, 12);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 3);
    assert_int_equal(atomic_load(&on_fsync.calls), 2);
}

static pthread_barrier_t together;

static void *sync_thread(void *argument)
{
    struct fixture *fixture = argument;

    (void)pthread_barrier_wait(&together);
    return segments_sync(fixture->segments) == 0 ? NULL : fixture;
}

static void syncs_that_come_together_share_one_flush(void **state)
{
    enum { THREADS = 8 };
    struct fixture *fixture = *state;
    pthread_t threads[THREADS];
    void *failed;

    (void)append(fixture, TFS_MIB / 2, 1);
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sync_thread, fixture), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    (void)pthread_barrier_destroy(&together);
    assert_int_equal(atomic_load(&on_fdatasync.calls), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, faults_clear, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_cut_short_or_interrupted_is_finished),
        TEST(pieces_are_written_in_their_order_wherever_a_write_stops),
        TEST(pieces_are_read_in_their_order_wherever_a_read_stops),
        TEST(pieces_go_on_without_direct_io_where_it_is_refused_late),
        TEST(a_write_that_makes_no_progress_is_an_error_and_no_endless_loop),
        TEST(a_read_cut_short_or_interrupted_is_finished),
        TEST(a_failed_write_uses_up_its_place_and_the_next_one_goes_behind_it),
        TEST(a_filesystem_that_refuses_direct_io_at_open_is_used_without),
        TEST(a_filesystem_that_refuses_direct_io_at_the_first_transfer_is_used_without),
        TEST(a_filesystem_without_preallocation_is_used_without),
        TEST(preallocation_takes_less_when_a_whole_step_does_not_fit),
        TEST(where_files_take_one_write_at_a_time_an_append_beside_another_goes_elsewhere),
        TEST(buffered_appends_side_by_side_preallocate_each_their_own_file),
        TEST(direct_appends_into_preallocated_space_share_one_file),
        TEST(a_failed_sync_is_reported_until_the_segments_are_closed),
        TEST(a_failed_sync_of_the_directory_is_reported),
        TEST(closing_reports_the_sync_that_failed),
        TEST(a_sync_costs_one_call_per_dirty_file_and_nothing_when_all_is_durable),
        TEST(syncs_that_come_together_share_one_flush),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
