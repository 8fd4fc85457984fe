/*
 * CASE: fallocate, SEEK_DATA, SEEK_HOLE and copy_file_range do what they say at every alignment
 * OPTIONS: chunk_size=64K
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

enum { mib = 1 << 20 };

static int file_of(const char *name, const char *content, size_t size)
{
    int fd = case_create(name, 0644);

    assert_int_equal(assert_ok(pwrite(fd, content, size, 0)), size);
    return fd;
}

static void a_punched_hole_reads_as_zeros_and_harms_no_neighbour(void **state)
{
    static const size_t holes[][2] = {{5000, 100},        {8192, 4096},     {100000, 500000},
                                      {262144, 262144},   {1, 1},           {700000, 299999},
                                      {3 * mib - 10, 20}, {1500000, 900001}};
    enum { size = 3 * mib + 77 };
    char *content = case_buffer(size);
    int fd;

    (void)state;
    case_fill(content, size, 1);
    fd = file_of("file", content, size);
    for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        assert_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)holes[i][0],
                            (off_t)holes[i][1]));
        memset(content + holes[i][0], 0, holes[i][1]);
        case_expect_fd(fd, content, size);
    }
    assert_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size - 100, 10000));
    memset(content + size - 100, 0, 100);
    assert_int_equal(case_fstat(fd).st_size, size);
    case_expect_fd(fd, content, size);
    assert_ok(close(fd));
    case_control("remount");
    case_expect_file("file", content, size);
    free(content);
}

/* Nothing of what was written just before shows through a hole, however the hole lies in the
 * chunks. */
static void a_hole_over_unsynced_data_hides_all_of_it(void **state)
{
    enum { size = 352969, chunk = 65536 };
    static const size_t starts[] = {chunk, chunk + 2, chunk - 1, 3 * chunk - 5};
    static const int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    char *content = case_buffer(size);
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        size_t start = starts[i % 4], length = i % 3 ? 120000 : 20000;
        int fd;

        assert_true(snprintf(name, sizeof(name), "file-%u", i) > 0);
        case_fill(content, size, i);
        fd = file_of(name, content, size);
        memset(content + 3825, 'x', 80); /* again into a chunk that is on its way to the disk */
        assert_int_equal(assert_ok(pwrite(fd, content + 3825, 80, 3825)), 80);
        if (fallocate(fd, modes[i / 8], (off_t)start, (off_t)length) == -1 && errno == EOPNOTSUPP)
            case_unsupported("FALLOC_FL_ZERO_RANGE");
        memset(content + start, 0, length);
        case_expect_fd(fd, content, size);
        assert_ok(fsync(fd));
        case_expect_fd(fd, content, size);
        assert_ok(close(fd));
    }
    free(content);
}

static void a_punched_hole_gives_its_blocks_back(void **state)
{
    enum { size = 8 * mib };
    char *content = case_buffer(size);
    struct stat before;
    int fd;

    (void)state;
    case_fill(content, size, 1);
    fd = file_of("file", content, size);
    assert_ok(fsync(fd));
    before = case_fstat(fd);
    assert_true(before.st_blocks >= size / 512 / 2);
    assert_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, mib, 6 * mib));
    assert_ok(fsync(fd));
    assert_true(case_fstat(fd).st_blocks <= before.st_blocks - 5 * (mib / 512));
    assert_ok(close(fd));
    free(content);
}

static void fallocate_grows_the_file_with_zeros_unless_told_to_keep_its_size(void **state)
{
    char *zeros = case_buffer(500000);
    int fd = file_of("file", "data", 4);

    (void)state;
    assert_ok(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
    assert_int_equal(case_fstat(fd).st_size, 4);
    assert_ok(fallocate(fd, 0, 0, 2));
    assert_int_equal(case_fstat(fd).st_size, 4);
    assert_ok(fallocate(fd, 0, 100, 499900));
    memcpy(zeros, "data", 4);
    case_expect_fd(fd, zeros, 500000);
    assert_int_equal(posix_fallocate(fd, 0, 400000), 0);
    case_expect_fd(fd, zeros, 500000);
    assert_ok(close(fd));
    case_expect_file("file", zeros, 500000);
    free(zeros);
}

static void zero_range_clears_and_grows_unless_told_to_keep_the_size(void **state)
{
    enum { size = 2 * mib };
    char *content = case_buffer(size + mib);
    int fd;

    (void)state;
    case_fill(content, size, 1);
    fd = file_of("file", content, size);
    if (fallocate(fd, FALLOC_FL_ZERO_RANGE, 100, 200000) == -1 && errno == EOPNOTSUPP)
        case_unsupported("FALLOC_FL_ZERO_RANGE");
    memset(content + 100, 0, 200000);
    case_expect_fd(fd, content, size);
    assert_ok(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, size - 1000, mib));
    memset(content + size - 1000, 0, 1000);
    case_expect_fd(fd, content, size);
    assert_ok(fallocate(fd, FALLOC_FL_ZERO_RANGE, size - 5000, 5000 + mib));
    memset(content + size - 5000, 0, 5000 + mib);
    case_expect_fd(fd, content, size + mib);
    assert_ok(close(fd));
    case_control("remount");
    case_expect_file("file", content, size + mib);
    free(content);
}

static void fallocate_answers_bad_calls_with_the_right_errno(void **state)
{
    static const int optional[] = {FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
                                   FALLOC_FL_UNSHARE_RANGE};
    char *content = case_buffer(2 * mib);
    int fd = file_of("file", content, 2 * mib);
    int reader = (int)assert_ok(open("file", O_RDONLY));

    (void)state;
    assert_fails(fallocate(fd, 0, 0, 0), EINVAL);
    assert_fails(fallocate(fd, 0, -1, 10), EINVAL);
    assert_fails(fallocate(fd, 0, 0, -1), EINVAL);
    assert_fails(fallocate(reader, 0, 0, 10), EBADF);
    assert_fails(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    assert_fails(fallocate(fd, 1 << 30, 0, 10), EOPNOTSUPP);
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (fallocate(fd, optional[i], 0, mib) == -1)
            assert_int_equal(errno, EOPNOTSUPP);
    }
    assert_ok(close(reader));
    assert_ok(close(fd));
    free(content);
}

static void data_and_holes_are_found_where_they_are(void **state)
{
    enum { hole = 64 * mib };
    char *content = case_buffer(mib);
    off_t data_end;
    int fd;

    (void)state;
    case_fill(content, mib, 1);
    fd = file_of("file", content, mib);
    assert_int_equal(assert_ok(pwrite(fd, content, mib, mib + hole)), mib);
    for (int synced = 0; synced < 2; synced++) {
        assert_int_equal(assert_ok(lseek(fd, 0, SEEK_DATA)), 0);
        assert_int_equal(assert_ok(lseek(fd, 1000, SEEK_DATA)), 1000);
        data_end = assert_ok(lseek(fd, 0, SEEK_HOLE));
        assert_in_range(data_end, mib, mib + hole / 2);
        assert_int_equal(assert_ok(lseek(fd, data_end + mib, SEEK_HOLE)), data_end + mib);
        assert_in_range(assert_ok(lseek(fd, data_end, SEEK_DATA)), mib + hole / 2, mib + hole);
        assert_int_equal(assert_ok(lseek(fd, mib + hole + 5, SEEK_HOLE)), 2 * mib + hole);
        assert_fails(lseek(fd, 2 * mib + hole, SEEK_DATA), ENXIO);
        assert_fails(lseek(fd, 2 * mib + hole, SEEK_HOLE), ENXIO);
        assert_fails(lseek(fd, -1, SEEK_DATA), ENXIO);
        assert_ok(fsync(fd));
    }
    assert_ok(close(fd));
    free(content);
}

static void a_file_that_is_one_hole_has_no_data_until_it_is_written(void **state)
{
    int fd = case_create("file", 0644);

    (void)state;
    assert_ok(ftruncate(fd, 10 * mib));
    assert_fails(lseek(fd, 0, SEEK_DATA), ENXIO);
    assert_int_equal(assert_ok(lseek(fd, 0, SEEK_HOLE)), 0);
    assert_int_equal(assert_ok(pwrite(fd, "x", 1, 5 * mib)), 1); /* unsynced data is data */
    assert_in_range(assert_ok(lseek(fd, 0, SEEK_DATA)), 4 * mib, 5 * mib);
    assert_true(assert_ok(lseek(fd, 5 * mib, SEEK_DATA)) == 5 * mib);
    assert_ok(close(fd));
}

static size_t copy_range(int from, off_t from_at, int to, off_t to_at, size_t size)
{
    size_t done = 0;
    ssize_t count;

    while (done < size) {
        count = assert_ok(copy_file_range(from, &from_at, to, &to_at, size - done, 0));
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return done;
}

static void copied_ranges_equal_their_source_at_every_alignment(void **state)
{
    enum { size = 3 * mib, room = 5 * mib };
    static const size_t ranges[][3] = {
        /* from, to, size */
        {0, 0, size},        {0, mib, mib},       {1, 0, 1000},           {262144, 524288, 262144},
        {100, 100, 2 * mib}, {100, 7777, 900001}, {mib, 4 * mib, 300000}, {size - 5, 0, 5}};
    char *source = case_buffer(size), *model = case_buffer(room);
    int from, to = case_create("to", 0644);
    size_t end = 0;

    (void)state;
    case_fill(source, size, 1);
    from = file_of("from", source, size);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        size_t stop = ranges[i][1] + ranges[i][2];

        assert_int_equal(
            copy_range(from, (off_t)ranges[i][0], to, (off_t)ranges[i][1], ranges[i][2]),
            ranges[i][2]);
        memcpy(model + ranges[i][1], source + ranges[i][0], ranges[i][2]);
        end = stop > end ? stop : end;
        case_expect_fd(to, model, end);
    }
    case_expect_fd(from, source, size);
    assert_ok(close(from));
    assert_ok(close(to));
    case_control("remount");
    case_expect_file("to", model, end);
    case_expect_file("from", source, size);
    free(source);
    free(model);
}

static void copies_end_where_the_source_ends_and_refuse_overlap(void **state)
{
    char *content = case_buffer(mib);
    int from, to, reader, appender;
    off_t at = 0, there = 100;

    (void)state;
    case_fill(content, mib, 1);
    from = file_of("from", content, mib);
    to = file_of("to", "", 0);
    assert_int_equal(copy_range(from, mib - 10, to, 0, 1000), 10);
    assert_int_equal(copy_range(from, mib, to, 0, 1000), 0);
    assert_int_equal(copy_range(from, 0, from, 2 * mib, mib), mib); /* disjoint, one file */
    assert_fails(copy_file_range(from, &at, from, &there, 1000, 0), EINVAL);
    assert_fails(copy_file_range(from, &at, to, &there, 1000, 1), EINVAL);
    reader = (int)assert_ok(open("to", O_RDONLY));
    appender = (int)assert_ok(open("to", O_WRONLY | O_APPEND));
    assert_fails(copy_file_range(from, &at, reader, &there, 1000, 0), EBADF);
    assert_fails(copy_file_range(from, &at, appender, &there, 1000, 0), EBADF);
    assert_ok(close(reader));
    assert_ok(close(appender));
    assert_ok(close(from));
    assert_ok(close(to));
    free(content);
}

static void a_copy_and_its_source_change_and_die_apart(void **state)
{
    enum { size = 2 * mib };
    char *original = case_buffer(size), *copy = case_buffer(size);
    int from, to = case_create("to", 0644);

    (void)state;
    case_fill(original, size, 1);
    memcpy(copy, original, size);
    from = file_of("from", original, size);
    assert_ok(fsync(from));
    assert_int_equal(copy_range(from, 0, to, 0, size), size);
    assert_int_equal(assert_ok(pwrite(to, "copy", 4, mib)), 4);
    memcpy(copy + mib, "copy", 4);
    assert_int_equal(assert_ok(pwrite(from, "original", 8, 300000)), 8);
    memcpy(original + 300000, "original", 8);
    case_expect_fd(from, original, size);
    case_expect_fd(to, copy, size);
    assert_ok(close(from));
    assert_ok(close(to));
    assert_ok(unlink("from"));
    case_control("remount");
    case_expect_file("to", copy, size);
    free(original);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(a_punched_hole_reads_as_zeros_and_harms_no_neighbour),
        CASE_TEST(a_hole_over_unsynced_data_hides_all_of_it),
        CASE_TEST(a_punched_hole_gives_its_blocks_back),
        CASE_TEST(fallocate_grows_the_file_with_zeros_unless_told_to_keep_its_size),
        CASE_TEST(zero_range_clears_and_grows_unless_told_to_keep_the_size),
        CASE_TEST(fallocate_answers_bad_calls_with_the_right_errno),
        CASE_TEST(data_and_holes_are_found_where_they_are),
        CASE_TEST(a_file_that_is_one_hole_has_no_data_until_it_is_written),
        CASE_TEST(copied_ranges_equal_their_source_at_every_alignment),
        CASE_TEST(copies_end_where_the_source_ends_and_refuse_overlap),
        CASE_TEST(a_copy_and_its_source_change_and_die_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
