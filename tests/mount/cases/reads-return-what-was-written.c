/*
 * CASE: read returns exactly what write, truncate, O_APPEND, O_TRUNC and O_DIRECT left there
 *
 * The offsets and sizes stand around the borders where a store may go wrong: the page, the smallest
 * and the default block and chunk, the size that still fits an index record.
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

static const size_t border_sizes[] = {1,      255,     256,     257,     4095,    4096,   4097,
                                      65535,  65536,   65537,   131073,  262143,  262144, 262145,
                                      999999, 1048576, 1048577, 4194303, 4194304, 4194305};

static void files_of_every_border_size_come_back_whole(void **state)
{
    enum { largest = 4194305 };
    char *content = case_buffer(largest);
    char name[32];

    (void)state;
    for (size_t i = 0; i < sizeof(border_sizes) / sizeof(border_sizes[0]); i++) {
        size_t size = border_sizes[i];

        case_fill(content, size, size);
        assert_true(snprintf(name, sizeof(name), "size-%zu", size) > 0);
        case_write_file(name, content, size);
        assert_int_equal(case_stat(name).st_size, size);
        case_expect_file(name, content, size);
    }
    case_control("remount");
    for (size_t i = 0; i < sizeof(border_sizes) / sizeof(border_sizes[0]); i++) {
        case_fill(content, border_sizes[i], border_sizes[i]);
        assert_true(snprintf(name, sizeof(name), "size-%zu", border_sizes[i]) > 0);
        case_expect_file(name, content, border_sizes[i]);
    }
    free(content);
}

/* 400 writes anywhere in 6 MB, some with O_DIRECT's alignment, compared with the same in memory. */
static void overwrites_anywhere_match_the_same_in_memory(void **state)
{
    enum { size = 6000000, longest = 300000, writes = 400 };
    char *model = case_buffer(size), *piece = case_buffer(longest);
    int fd = case_create("file", 0644);
    size_t end = 0;

    (void)state;
    for (unsigned i = 0; i < writes; i++) {
        uint64_t dice[2];
        size_t at, length;

        case_fill(dice, sizeof(dice), i);
        length = dice[0] % (i % 3 ? longest : 5000) + 1;
        at = dice[1] % (size - length);
        case_fill(piece, length, i + 1000);
        assert_int_equal(assert_ok(pwrite(fd, piece, length, (off_t)at)), length);
        memcpy(model + at, piece, length);
        end = at + length > end ? at + length : end;
        if (i % 100 == 99)
            case_expect_fd(fd, model, end);
    }
    assert_ok(close(fd));
    case_expect_file("file", model, end);
    case_control("remount");
    case_expect_file("file", model, end);
    free(model);
    free(piece);
}

static void reads_end_where_the_file_ends(void **state)
{
    char got[32];
    int fd;

    (void)state;
    case_write_text("file", "0123456789");
    fd = (int)assert_ok(open("file", O_RDONLY));
    assert_int_equal(assert_ok(pread(fd, got, sizeof(got), 0)), 10);
    assert_int_equal(assert_ok(pread(fd, got, sizeof(got), 7)), 3);
    assert_int_equal(assert_ok(pread(fd, got, sizeof(got), 10)), 0);
    assert_int_equal(assert_ok(pread(fd, got, sizeof(got), 1 << 30)), 0);
    assert_int_equal(assert_ok(pread(fd, got, 0, 0)), 0);
    assert_fails(pread(fd, got, sizeof(got), -1), EINVAL);
    assert_fails(write(fd, "x", 1), EBADF);
    assert_ok(close(fd));
    fd = (int)assert_ok(open("file", O_WRONLY));
    assert_fails(read(fd, got, sizeof(got)), EBADF);
    assert_ok(close(fd));
    fd = (int)assert_ok(open(".", O_RDONLY));
    assert_fails(read(fd, got, sizeof(got)), EISDIR);
    assert_ok(close(fd));
}

static void truncation_cuts_and_growth_brings_zeros(void **state)
{
    enum { size = 500000, kept = 123457, grown = 900001 };
    char *content = case_buffer(grown);
    int fd = case_create("file", 0644);

    (void)state;
    case_fill(content, size, 1);
    assert_int_equal(assert_ok(pwrite(fd, content, size, 0)), size);
    assert_ok(ftruncate(fd, kept));
    case_expect_fd(fd, content, kept);
    assert_ok(ftruncate(fd, grown));
    memset(content + kept, 0, grown - kept);
    case_expect_fd(fd, content, grown);
    assert_ok(close(fd));
    case_expect_file("file", content, grown);

    assert_ok(truncate("file", 0));
    assert_int_equal(case_stat("file").st_size, 0);
    assert_ok(truncate("file", 10));
    case_expect_file("file", "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_fails(truncate("file", -1), EINVAL);
    assert_fails(truncate(".", 0), EISDIR);
    assert_fails(truncate("missing", 0), ENOENT);
    fd = (int)assert_ok(open("file", O_RDONLY));
    assert_fails(ftruncate(fd, 0), EINVAL);
    assert_ok(close(fd));
    free(content);
}

/* A shortened tail must not come back when the file grows again, at whatever border it was cut. */
static void what_truncation_cut_off_never_comes_back(void **state)
{
    enum { size = 600000 };
    char *content = case_buffer(size);
    int fd = case_create("file", 0644);

    (void)state;
    for (size_t i = 0; i < sizeof(border_sizes) / sizeof(border_sizes[0]); i++) {
        size_t cut = border_sizes[i];

        if (cut >= size)
            break;
        case_fill(content, size, i);
        assert_int_equal(assert_ok(pwrite(fd, content, size, 0)), size);
        if (i % 2)
            assert_ok(fsync(fd));
        assert_ok(ftruncate(fd, (off_t)cut));
        assert_int_equal(assert_ok(pwrite(fd, "end", 3, size - 3)), 3);
        memset(content + cut, 0, size - 3 - cut);
        memcpy(content + size - 3, "end", 3);
        case_expect_fd(fd, content, size);
    }
    assert_ok(close(fd));
    free(content);
}

static void opening_with_trunc_empties_the_file_for_every_handle(void **state)
{
    int reader, writer;
    char byte;

    (void)state;
    case_write_text("file", "old and long content");
    reader = (int)assert_ok(open("file", O_RDONLY));
    assert_int_equal(assert_ok(pread(reader, &byte, 1, 5)), 1);
    writer = (int)assert_ok(open("file", O_WRONLY | O_TRUNC));
    assert_int_equal(case_fstat(reader).st_size, 0);
    assert_int_equal(assert_ok(pread(reader, &byte, 1, 5)), 0);
    assert_int_equal(assert_ok(write(writer, "new", 3)), 3);
    case_expect_fd(reader, "new", 3);
    assert_ok(close(writer));
    assert_ok(close(reader));
}

enum { appenders = 4, records = 400, record_bytes = 37 };

static int append_records(void *context)
{
    const int *who = context;
    char record[record_bytes + 1];
    int fd = (int)assert_ok(open("log", O_WRONLY | O_APPEND));

    for (int i = 0; i < records; i++) {
        assert_true(snprintf(record, sizeof(record), "%d:%-34d\n", *who, i) == record_bytes);
        assert_int_equal(assert_ok(write(fd, record, record_bytes)), record_bytes);
    }
    return close(fd);
}

static void concurrent_appends_lose_and_tear_nothing(void **state)
{
    int who[appenders], next[appenders] = {0};
    pid_t pids[appenders];
    char record[record_bytes + 1] = "";
    int fd;

    (void)state;
    case_write_text("log", "");
    for (int i = 0; i < appenders; i++) {
        who[i] = i;
        case_fork(append_records, &who[i], &pids[i]);
    }
    for (int i = 0; i < appenders; i++)
        case_join(pids[i]);
    assert_int_equal(case_stat("log").st_size, appenders * records * record_bytes);
    fd = (int)assert_ok(open("log", O_RDONLY));
    for (int i = 0; i < appenders * records; i++) {
        int writer, number;

        assert_int_equal(assert_ok(read(fd, record, record_bytes)), record_bytes);
        assert_int_equal(sscanf(record, "%d:%d", &writer, &number), 2);
        assert_in_range(writer, 0, appenders - 1);
        assert_int_equal(number, next[writer]++);
    }
    assert_ok(close(fd));
}

static void appends_go_to_the_end_wherever_another_handle_put_it(void **state)
{
    int log, other;

    (void)state;
    case_write_text("log", "one,");
    log = (int)assert_ok(open("log", O_RDWR | O_APPEND));
    other = (int)assert_ok(open("log", O_RDWR));
    assert_int_equal(assert_ok(write(log, "two,", 4)), 4);
    assert_int_equal(assert_ok(pwrite(other, "three,", 6, 8)), 6);
    assert_int_equal(assert_ok(write(log, "four", 4)), 4);
    case_expect_fd(other, "one,two,three,four", 18);
    assert_ok(ftruncate(other, 4));
    assert_int_equal(assert_ok(write(log, "five", 4)), 4);
    case_expect_fd(log, "one,five", 8);
    assert_int_equal(assert_ok(lseek(log, 0, SEEK_CUR)), 8);
    assert_ok(close(log));
    assert_ok(close(other));
}

static void files_beyond_four_gib_keep_every_offset_apart(void **state)
{
    static const off_t offsets[] = {0, (1ll << 31) - 2, (1ll << 32) - 3, 5ll << 30,
                                    (1ll << 40) + 1};
    enum { count = sizeof(offsets) / sizeof(offsets[0]), size = 5 };
    int fd = case_create("sparse", 0644);
    char text[size + 1], got[size];

    (void)state;
    for (int i = 0; i < count; i++) {
        assert_true(snprintf(text, sizeof(text), "at %02d", i) == size);
        assert_int_equal(assert_ok(pwrite(fd, text, size, offsets[i])), size);
    }
    assert_int_equal(case_fstat(fd).st_size, offsets[count - 1] + size);
    assert_ok(fsync(fd));
    assert_true(case_fstat(fd).st_blocks < (64 << 20) / 512);
    assert_ok(close(fd));
    case_control("remount");
    fd = (int)assert_ok(open("sparse", O_RDONLY));
    for (int i = 0; i < count; i++) {
        assert_true(snprintf(text, sizeof(text), "at %02d", i) == size);
        assert_int_equal(assert_ok(pread(fd, got, size, offsets[i])), size);
        assert_memory_equal(got, text, size);
        if (i + 1 < count) {
            assert_int_equal(assert_ok(pread(fd, got, size, offsets[i] + 100000)), size);
            assert_memory_equal(got, "\0\0\0\0\0", size);
        }
    }
    assert_ok(close(fd));
    assert_ok(truncate("sparse", 6ll << 30)); /* the comparison after a remount reads it all */
}

static void vectors_of_buffers_are_written_and_read_in_order(void **state)
{
    char a[3] = "abc", b[5] = "defgh", c[4] = "";
    struct iovec out[2] = {{.iov_base = a, .iov_len = 3}, {.iov_base = b, .iov_len = 5}};
    struct iovec in[2] = {{.iov_base = c, .iov_len = 4}, {.iov_base = b, .iov_len = 4}};
    int fd = case_create("file", 0644);

    (void)state;
    assert_int_equal(assert_ok(writev(fd, out, 2)), 8);
    assert_int_equal(assert_ok(pwritev(fd, out, 2, 100000)), 8);
    assert_int_equal(assert_ok(preadv(fd, in, 2, 100000)), 8);
    assert_memory_equal(c, "abcd", 4);
    assert_memory_equal(b, "efgh", 4);
    assert_ok(close(fd));
}

static void direct_and_buffered_handles_see_each_other(void **state)
{
    enum { size = 1 << 20, page = 4096 };
    char *content = case_buffer(size), *block = case_buffer(size);
    int direct, buffered;

    (void)state;
    direct = open("file", O_RDWR | O_CREAT | O_DIRECT, 0644);
    if (direct == -1)
        case_unsupported("O_DIRECT");
    buffered = (int)assert_ok(open("file", O_RDWR));
    case_fill(content, size, 1);
    memcpy(block, content, size);
    assert_int_equal(assert_ok(pwrite(direct, block, size, 0)), size);
    case_expect_fd(buffered, content, size);
    for (int i = 0; i < 40; i++) {
        off_t at = (off_t)(i * 6 % 256) * page;

        case_fill(block, page, (uint64_t)i + 2);
        memcpy(content + at, block, page);
        assert_int_equal(assert_ok(pwrite(i % 2 ? direct : buffered, block, page, at)), page);
        assert_int_equal(assert_ok(pread(i % 2 ? buffered : direct, block, page, at)), page);
        assert_memory_equal(block, content + at, page);
    }
    assert_int_equal(assert_ok(pread(direct, block, size, 0)), size);
    assert_memory_equal(block, content, size);
    assert_ok(ftruncate(direct, page + 10));
    assert_int_equal(assert_ok(pread(direct, block, page, page)), 10);
    assert_ok(close(direct));
    assert_ok(close(buffered));
    case_expect_file("file", content, page + 10);
    free(content);
    free(block);
}

/* As a zip writer does: a header is written before its sizes are known, and patched later. */
static void a_header_can_be_patched_after_megabytes_went_by(void **state)
{
    enum { size = 9000000, header = 30 };
    char *content = case_buffer(size);
    int fd = (int)assert_ok(open("archive", O_WRONLY | O_CREAT, 0644));

    (void)state;
    case_fill(content, size, 1);
    assert_int_equal(assert_ok(write(fd, content, size)), size);
    memset(content, 'P', header);
    assert_int_equal(assert_ok(lseek(fd, 0, SEEK_SET)), 0);
    assert_int_equal(assert_ok(write(fd, content, header)), header);
    assert_int_equal(assert_ok(lseek(fd, 0, SEEK_END)), size);
    assert_ok(close(fd));
    case_expect_file("archive", content, size);
    free(content);
}

/* As safetensors does: full size first, then filled from front to back in odd pieces. */
static void a_file_made_to_size_first_can_be_filled_in_odd_pieces(void **state)
{
    enum { size = 7654321, piece = 1000003 };
    char *content = case_buffer(size);
    int fd = case_create("model.tmp", 0600);

    (void)state;
    case_fill(content, size, 1);
    assert_ok(ftruncate(fd, size));
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;

        assert_int_equal(assert_ok(write(fd, content + at, length)), length);
    }
    assert_ok(close(fd));
    assert_ok(rename("model.tmp", "model"));
    case_expect_file("model", content, size);
    case_control("remount");
    case_expect_file("model", content, size);
    free(content);
}

static void a_reader_sees_each_write_of_an_open_writer_at_once(void **state)
{
    enum { pieces = 60, piece = 30011 };
    char *content = case_buffer(pieces * piece);
    int writer = (int)assert_ok(open("file", O_WRONLY | O_CREAT, 0644));
    int reader = (int)assert_ok(open("file", O_RDONLY));

    (void)state;
    case_fill(content, pieces * piece, 1);
    for (size_t i = 0; i < pieces; i++) {
        assert_int_equal(assert_ok(write(writer, content + i * piece, piece)), piece);
        assert_int_equal(case_stat("file").st_size, (i + 1) * piece);
        if (i % 6 == 0)
            case_expect_fd(reader, content, (i + 1) * piece);
    }
    assert_int_equal(assert_ok(pwrite(writer, "patched", 7, piece)), 7);
    memcpy(content + piece, "patched", 7);
    case_expect_fd(reader, content, pieces * piece);
    assert_ok(close(writer));
    assert_ok(close(reader));
    free(content);
}

static void a_thousand_files_can_be_open_at_once(void **state)
{
    enum { count = 1000 };
    struct rlimit limit = {.rlim_cur = count + 100, .rlim_max = count + 100};
    int fds[count];
    char text[32];

    (void)state;
    assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 0; i < count; i++) {
        assert_true(snprintf(text, sizeof(text), "file-%d", i) > 0);
        fds[i] = case_create(text, 0644);
        assert_int_equal(assert_ok(write(fds[i], text, strlen(text))), strlen(text));
    }
    for (int i = 0; i < count; i++) {
        assert_true(snprintf(text, sizeof(text), "file-%d", i) > 0);
        case_expect_fd(fds[i], text, strlen(text));
        assert_ok(close(fds[i]));
    }
}

static void sendfile_copies_in_and_out(void **state)
{
    enum { size = 700001 };
    char *content = case_buffer(size);
    int from, to;
    off_t at = 0;

    (void)state;
    case_fill(content, size, 1);
    case_write_file("from", content, size);
    from = (int)assert_ok(open("from", O_RDONLY));
    to = case_create("to", 0644);
    while (at < size)
        assert_true(assert_ok(sendfile(to, from, &at, size)) > 0);
    case_expect_fd(to, content, size);
    assert_ok(close(from));
    assert_ok(close(to));
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(files_of_every_border_size_come_back_whole),
        CASE_TEST(overwrites_anywhere_match_the_same_in_memory),
        CASE_TEST(reads_end_where_the_file_ends),
        CASE_TEST(truncation_cuts_and_growth_brings_zeros),
        CASE_TEST(what_truncation_cut_off_never_comes_back),
        CASE_TEST(opening_with_trunc_empties_the_file_for_every_handle),
        CASE_TEST(concurrent_appends_lose_and_tear_nothing),
        CASE_TEST(appends_go_to_the_end_wherever_another_handle_put_it),
        CASE_TEST(files_beyond_four_gib_keep_every_offset_apart),
        CASE_TEST(vectors_of_buffers_are_written_and_read_in_order),
        CASE_TEST(direct_and_buffered_handles_see_each_other),
        CASE_TEST(a_header_can_be_patched_after_megabytes_went_by),
        CASE_TEST(a_file_made_to_size_first_can_be_filled_in_odd_pieces),
        CASE_TEST(a_reader_sees_each_write_of_an_open_writer_at_once),
        CASE_TEST(a_thousand_files_can_be_open_at_once),
        CASE_TEST(sendfile_copies_in_and_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
