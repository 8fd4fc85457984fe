/*
 * Open files: what open, read, write, fallocate, seek and copy answer at their limits, and the
 * finds of the random tests as cases of their own.
 */
#include "store_fixture.h"

#include "store/base/crc32c.h"
#include "store/read/cache.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

static int set_up_small_chunks(void **state)
{
    struct fixture *fixture;
    int err = fixture_set_up_closed(state);

    fixture = *state;
    fixture->options.chunk_size = 64 * TFS_KIB;
    fixture_open(fixture);
    return err;
}

/* ---- damage ---- */

/* Flips a bit of the last stored bytes, which are those of the last block of what was written last.
 */
static void damage_segment_end(struct fixture *fixture, off_t from_end)
{
    char path[500];
    uint8_t byte;
    struct stat status;
    FILE *found;
    int fd;

    (void)snprintf(path, sizeof(path), "find '%s/segments' -type f -size +0", fixture->path);
    found = popen(path, "r");
    assert_non_null(found);
    assert_non_null(fgets(path, sizeof(path), found));
    (void)pclose(found);
    path[strcspn(path, "\n")] = '\0';
    fd = open(path, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    assert_int_equal(pread(fd, &byte, 1, status.st_size - from_end), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, status.st_size - from_end), 1);
    (void)close(fd);
}

static void a_damaged_block_does_not_spoil_its_neighbours(void **state)
{
    enum { SIZE = 1 << 20, BLOCK = 256 << 10 };
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_read read;
    struct cache_status before, after;

    fixture_write_random(file, 0, SIZE, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_close(fixture);
    damage_segment_end(fixture, 64 << 10);
    fixture_open(fixture);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(tfs_file_read(file, 0, SIZE, &read), -EIO);
    cache_get_status(fixture->volume->cache, &before);
    fixture_assert_random(file, 0, SIZE - BLOCK, 1);
    cache_get_status(fixture->volume->cache, &after);
    assert_int_equal(after.misses, before.misses); /* they were loaded beside it */
    assert_int_equal(tfs_file_read(file, SIZE - BLOCK, BLOCK, &read), -EIO);
    tfs_file_close(file);
}

/* ---- opening, reading, writing ---- */

static void open_answers_with_its_errors(void **state)
{
    struct fixture *fixture = *state;
    uint64_t link = fixture_make(fixture, TFS_ROOT_INODE, "link", S_IFLNK);
    uint64_t pipe = fixture_make(fixture, TFS_ROOT_INODE, "pipe", S_IFIFO);
    struct tfs_file *file = NULL;

    assert_int_equal(tfs_file_open(fixture->volume, UINT64_MAX, O_RDONLY, &file), -ESTALE);
    assert_int_equal(tfs_file_open(fixture->volume, TFS_ROOT_INODE, O_RDONLY, &file), -EISDIR);
    assert_int_equal(tfs_file_open(fixture->volume, link, O_RDONLY, &file), -EINVAL);
    assert_int_equal(tfs_file_open(fixture->volume, pipe, O_RDONLY, &file), -EINVAL);
    assert_null(file);
    tfs_file_close(NULL);
}

static void opening_to_truncate_empties_the_file(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_file *again;

    fixture_write(file, 0, "hello", 5);
    assert_int_equal(tfs_file_open(fixture->volume, tfs_file_inode(file), O_RDWR | O_TRUNC, &again),
                     0);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, 0);
    tfs_file_close(again);
    tfs_file_close(file);
}

static void a_file_opened_for_reading_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_copy copy = {.source = file, .size = 1};
    struct tfs_file *reader;

    fixture_write(file, 0, "hello", 5);
    assert_int_equal(tfs_file_open(fixture->volume, tfs_file_inode(file), O_RDONLY, &reader), 0);
    copy.target = reader;
    copy.target_offset = 100;
    assert_int_equal(tfs_file_write(reader, 0, "x", 1, 0), -EBADF);
    assert_int_equal(tfs_file_fallocate(reader, 0, 0, 1), -EBADF);
    assert_int_equal(tfs_file_copy(&copy), -EBADF);
    assert_int_equal(tfs_file_flush(reader), 0);
    tfs_file_close(reader);
    tfs_file_close(file);
}

static void reads_end_at_the_end(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");
    struct tfs_read read;

    assert_int_equal(tfs_file_read(file, 0, TFS_READ_SIZE_MAX, &read), 0);
    assert_int_equal(read.size, 0);
    tfs_read_release(&read);
    fixture_write(file, 100, "x", 1);
    assert_int_equal(tfs_file_read(file, 0, TFS_READ_SIZE_MAX, &read), 0);
    assert_int_equal(read.size, 101);
    tfs_read_release(&read);
    assert_int_equal(tfs_file_read(file, 101, 1, &read), 0);
    assert_int_equal(read.size, 0);
    tfs_read_release(&read);
    assert_int_equal(tfs_file_read(file, UINT64_MAX, 1, &read), 0);
    assert_int_equal(read.size, 0);
    tfs_read_release(&read);
    assert_int_equal(tfs_file_read(file, 5, 0, &read), 0);
    assert_int_equal(read.size, 0);
    tfs_read_release(&read);
    tfs_file_close(file);
}

static void a_read_keeps_its_bytes_until_it_is_released(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");
    uint8_t wanted[4096];
    struct tfs_read read;

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(tfs_file_read(file, 0, sizeof(wanted), &read), 0);
    fixture_write_random(file, 0, TFS_MIB, 2); /* and all of the cache is used for others */
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_write_random(file, TFS_MIB, 60 * TFS_MIB, 3);
    fixture_assert_random(file, TFS_MIB, 60 * TFS_MIB, 3);
    fixture_fill(wanted, sizeof(wanted), 1);
    assert_int_equal(read.piece_count, 1);
    assert_memory_equal(read.pieces[0].iov_base, wanted, sizeof(wanted));
    tfs_read_release(&read);
    tfs_file_close(file);
}

static void writes_have_limits(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    assert_int_equal(tfs_file_write(file, 0, "x", 0, 0), 0);
    assert_int_equal(tfs_file_write(file, TFS_FILE_SIZE_MAX, "x", 1, 0), -EFBIG);
    assert_int_equal(tfs_file_write(file, UINT64_MAX, "xx", 2, 0), -EFBIG);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, 0);
    assert_int_equal(tfs_file_write(file, TFS_FILE_SIZE_MAX - 1, "x", 1, 0), 1);
    assert_int_equal(tfs_file_write(file, 0, "x", 1, TFS_WRITE_APPEND), -EFBIG);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_assert_zeros(file, TFS_FILE_SIZE_MAX - 2, 1);
    assert_int_equal(tfs_file_seek(file, 0, SEEK_DATA) > (int64_t)(TFS_FILE_SIZE_MAX - TFS_MIB), 1);
    tfs_file_close(file);
}

static void an_append_takes_the_end_whatever_offset_it_has(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");
    char text[6] = "";

    assert_int_equal(tfs_file_write(file, 1000, "ab", 2, TFS_WRITE_APPEND), 2);
    assert_int_equal(tfs_file_write(file, UINT64_MAX, "cde", 3, TFS_WRITE_APPEND), 3);
    assert_int_equal(fixture_read(file, 0, text, sizeof(text)), 5);
    assert_string_equal(text, "abcde");
    tfs_file_close(file);
}

static void a_write_by_others_drops_setuid(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 06777);
    struct tfs_file *file = fixture_open_file(fixture, "file");

    fixture_write(file, 0, "x", 1);
    assert_int_equal(fixture_attr(fixture, inode).mode & 07777, 06777);
    assert_int_equal(tfs_file_write(file, 0, "x", 1, TFS_WRITE_KILL_PRIVILEGES), 1);
    assert_int_equal(fixture_attr(fixture, inode).mode & 07777, 0777);
    tfs_file_close(file);
}

static void a_close_is_ready_when_nothing_is_dirty(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    assert_true(tfs_file_close_is_ready(file));
    fixture_write_random(file, 0, 4096, 1);
    assert_false(tfs_file_close_is_ready(file));
    assert_int_equal(tfs_file_flush(file), 0);
    assert_true(tfs_file_close_is_ready(file));
    tfs_file_close(file);
}

/* ---- holes ---- */

static void fallocate_answers_with_its_errors(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct statvfs status;

    assert_int_equal(tfs_volume_statfs(fixture->volume, &status), 0);
    assert_int_equal(tfs_file_fallocate(file, 0, 0, 0), -EINVAL);
    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, 1), -EOPNOTSUPP);
    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_INSERT_RANGE, 0, 4096), -EOPNOTSUPP);
    assert_int_equal(tfs_file_fallocate(file, 0, TFS_FILE_SIZE_MAX, 1), -EFBIG);
    assert_int_equal(tfs_file_fallocate(file, 0, UINT64_MAX, 2), -EFBIG);
    assert_int_equal(tfs_file_fallocate(file, 0, 0, (status.f_bavail + 1024) * status.f_frsize * 2),
                     -ENOSPC);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, 0);
    tfs_file_close(file);
}

static void allocation_moves_the_end_unless_told_not_to(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t inode = tfs_file_inode(file);

    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 1000), 0);
    assert_int_equal(fixture_attr(fixture, inode).size, 0);
    assert_int_equal(tfs_file_fallocate(file, 0, 10, 1000), 0);
    assert_int_equal(fixture_attr(fixture, inode).size, 1010);
    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_ZERO_RANGE, 2000, 10), 0);
    assert_int_equal(fixture_attr(fixture, inode).size, 2010);
    assert_int_equal(tfs_file_fallocate(file, PUNCH, 3000, 10), 0);
    assert_int_equal(fixture_attr(fixture, inode).size, 2010);
    tfs_file_close(file);
}

static void a_hole_in_a_buffer_that_a_read_completed_is_zeros(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint8_t byte[2];

    fixture_write_random(file, 0, 256 * TFS_KIB, 1);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_write(file, 0, "x", 1);
    assert_int_equal(fixture_read(file, 0, byte, 2), 2); /* completes the buffer */
    assert_int_equal(tfs_file_fallocate(file, PUNCH, 128 * TFS_KIB, 128 * TFS_KIB), 0);
    fixture_assert_zeros(file, 128 * TFS_KIB, 128 * TFS_KIB);
    fixture_write(file, 256 * TFS_KIB - 1, "x", 1);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_assert_zeros(file, 128 * TFS_KIB, 128 * TFS_KIB - 1);
    tfs_file_close(file);
}

static void zeros_become_a_hole(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint8_t *zeros = calloc(1, 3 * TFS_MIB);

    assert_non_null(zeros);
    fixture_write_random(file, 0, 64 * TFS_KIB, 1);
    fixture_write(file, TFS_MIB, zeros, 3 * TFS_MIB);
    assert_int_equal(tfs_file_flush(file), 0);
    assert_int_equal(tfs_file_seek(file, 0, SEEK_DATA), 0);
    assert_int_equal(tfs_file_seek(file, 0, SEEK_HOLE), 64 * TFS_KIB);
    assert_int_equal(tfs_file_seek(file, 64 * TFS_KIB, SEEK_DATA), -ENXIO);
    assert_true(fixture_attr(fixture, tfs_file_inode(file)).blocks <= 66 * 2);
    free(zeros);
    tfs_file_close(file);
}

static void seek_answers_with_its_errors(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");

    assert_int_equal(tfs_file_seek(file, 0, SEEK_DATA), -ENXIO);
    fixture_write(file, 0, "x", 1);
    assert_int_equal(tfs_file_seek(file, 0, SEEK_DATA), 0);
    assert_int_equal(tfs_file_seek(file, 0, SEEK_HOLE), 1);
    assert_int_equal(tfs_file_seek(file, 1, SEEK_HOLE), -ENXIO);
    assert_int_equal(tfs_file_seek(file, 0, SEEK_SET), -EINVAL);
    tfs_file_close(file);
}

static void many_holes_in_one_chunk_can_be_committed(void **state)
{
    struct fixture *fixture = *state;
    enum { FILL = 64 * 1024 };
    struct tfs_file *file;
    static uint8_t bytes[FILL];

    fixture->options.chunk_size = 256;
    fixture_reopen(fixture);
    file = fixture_create(fixture, "file");
    memset(bytes, 7, sizeof(bytes));
    for (uint64_t at = 0; at + FILL <= 256 * TFS_KIB; at += FILL) { /* four small frames */
        fixture_write(file, at, bytes, FILL);
        assert_int_equal(tfs_file_flush(file), 0);
    }
    for (uint64_t at = 0; at < 240 * TFS_KIB; at += 512)
        assert_int_equal(tfs_file_fallocate(file, PUNCH, at, 256), 0);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    for (uint64_t at = 0; at < 240 * TFS_KIB; at += 512) {
        uint8_t got[256];

        fixture_assert_zeros(file, at, 256);
        assert_int_equal(fixture_read(file, at + 256, got, sizeof(got)), sizeof(got));
        assert_memory_equal(got, bytes, sizeof(got));
    }
    tfs_file_close(file);
}

/* ---- copies ---- */

static void a_copy_of_whole_chunks_shares_their_frames(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *from = fixture_create(fixture, "from");
    struct tfs_file *to = fixture_create(fixture, "to");
    struct tfs_copy copy = {.source = from, .target = to, .size = UINT32_MAX};
    uint64_t allocated;

    fixture_write_random(from, 0, 10 * TFS_MIB + 5, 1);
    assert_int_equal(tfs_file_sync(from, false), 0);
    allocated = fixture_allocated(fixture);
    assert_int_equal(tfs_file_copy(&copy), 10 * TFS_MIB + 5);
    assert_int_equal(tfs_file_sync(to, false), 0);
    assert_int_equal(fixture_allocated(fixture), allocated);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(to)).blocks,
                     fixture_attr(fixture, tfs_file_inode(from)).blocks);
    fixture_write_random(from, 0, TFS_MIB, 2); /* each goes its own way from here on */
    fixture_truncate(fixture, tfs_file_inode(from), 2 * TFS_MIB);
    fixture_assert_random(to, 0, 10 * TFS_MIB + 5, 1);
    tfs_file_close(from);
    tfs_file_close(to);
    fixture_reopen(fixture);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "from"), 0);
    fixture_reopen(fixture);
    to = fixture_open_file(fixture, "to");
    fixture_assert_random(to, 0, 10 * TFS_MIB + 5, 1);
    tfs_file_close(to);
}

static void a_copy_of_a_split_frame_counts_it_once(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *from = fixture_create(fixture, "from");
    struct tfs_file *to = fixture_create(fixture, "to");
    struct tfs_copy copy = {.source = from, .target = to, .size = 4 * TFS_MIB};

    fixture_write_random(from, 0, 4 * TFS_MIB, 1);
    assert_int_equal(tfs_file_flush(from), 0);
    fixture_write_random(from, TFS_MIB, TFS_MIB, 2);
    assert_int_equal(tfs_file_flush(from), 0);
    for (int i = 0; i < 2; i++) { /* the second time over itself */
        assert_int_equal(tfs_file_copy(&copy), 4 * TFS_MIB);
        assert_int_equal(fixture_attr(fixture, tfs_file_inode(to)).blocks,
                         fixture_attr(fixture, tfs_file_inode(from)).blocks);
    }
    tfs_file_close(from);
    tfs_file_close(to);
}

static void copy_answers_at_its_limits(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *from = fixture_create(fixture, "from");
    struct tfs_file *to = fixture_create(fixture, "to");
    struct tfs_copy copy = {.source = from, .target = to, .size = 100};

    assert_int_equal(tfs_file_copy(&copy), 0); /* an empty source */
    fixture_write_random(from, 0, 1000, 1);
    copy.source_offset = 990;
    assert_int_equal(tfs_file_copy(&copy), 10);
    copy.source_offset = 1000;
    assert_int_equal(tfs_file_copy(&copy), 0);
    copy.source_offset = 0;
    copy.target_offset = TFS_FILE_SIZE_MAX - 99;
    assert_int_equal(tfs_file_copy(&copy), -EFBIG);
    copy.target_offset = UINT64_MAX;
    assert_int_equal(tfs_file_copy(&copy), -EFBIG);
    copy.target = from;
    copy.target_offset = 99;
    assert_int_equal(tfs_file_copy(&copy), -EINVAL);
    copy.target_offset = 100;
    assert_int_equal(tfs_file_copy(&copy), 100);
    tfs_file_close(from);
    tfs_file_close(to);
}

/* ---- checksums ---- */

static void assert_checksums(struct tfs_file *file, uint64_t size, uint32_t wanted_block_size)
{
    uint8_t *bytes = malloc(wanted_block_size);
    uint64_t offset = 0;
    uint32_t block_size;
    uint32_t checksum;

    assert_non_null(bytes);
    while (offset < size) {
        size_t here = tfs_min_u64(wanted_block_size, size - offset);

        assert_int_equal(tfs_file_block_checksums(file, offset, &checksum, 1, &block_size), 1);
        assert_int_equal(block_size, wanted_block_size);
        assert_int_equal(fixture_read(file, offset, bytes, here), here);
        assert_int_equal(checksum, tfs_crc32c(0, bytes, here));
        offset += here;
    }
    free(bytes);
}

static void checksums_are_those_of_the_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t inode = tfs_file_inode(file);
    uint32_t checksums[4];
    uint32_t block_size;

    assert_int_equal(tfs_file_block_checksums(file, 0, checksums, 4, &block_size), 0);
    fixture_write_random(file, 0, 300 * TFS_KIB + 11, 1);
    assert_int_equal(tfs_file_block_checksums(file, 0, checksums, 4, &block_size), -EAGAIN);
    assert_int_equal(tfs_file_flush(file), 0);
    assert_checksums(file, 300 * TFS_KIB + 11, 64 * TFS_KIB);
    assert_int_equal(tfs_file_block_checksums(file, 70000, checksums, 4, &block_size), 4);
    fixture_truncate(fixture, inode, 100 * TFS_KIB); /* inside of a block ... */
    assert_int_equal(tfs_file_flush(file), 0);
    assert_checksums(file, 100 * TFS_KIB, 64 * TFS_KIB);
    fixture_truncate(fixture, inode, 500 * TFS_KIB); /* ... and zeros behind it */
    assert_int_equal(tfs_file_flush(file), 0);
    assert_checksums(file, 500 * TFS_KIB, 64 * TFS_KIB);
    fixture_write(file, 400 * TFS_KIB, "small", 5); /* stays in the index */
    assert_int_equal(tfs_file_flush(file), 0);
    assert_checksums(file, 500 * TFS_KIB, 64 * TFS_KIB);
    tfs_file_close(file);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define SMALL_CHUNKS_TEST(name)                                                                    \
    cmocka_unit_test_setup_teardown(name, set_up_small_chunks, fixture_tear_down)

/* As a buffer's size for who writes it first, and as an alignment for who reads it past the cache.
 */
static void the_best_unit_is_large_for_an_empty_file_and_a_page_for_others(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t inode = tfs_file_inode(file);

    assert_int_equal(fixture_attr(fixture, inode).block_size, 1 << 20);
    fixture_write(file, 0, "x", 1);
    assert_int_equal(fixture_attr(fixture, inode).block_size, 4096);
    fixture_truncate(fixture, inode, 0);
    assert_int_equal(fixture_attr(fixture, inode).block_size, 1 << 20);
    tfs_file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_damaged_block_does_not_spoil_its_neighbours),
        FILE_TEST(open_answers_with_its_errors),
        FILE_TEST(opening_to_truncate_empties_the_file),
        FILE_TEST(a_file_opened_for_reading_is_not_written),
        FILE_TEST(reads_end_at_the_end),
        FILE_TEST(a_read_keeps_its_bytes_until_it_is_released),
        FILE_TEST(writes_have_limits),
        FILE_TEST(an_append_takes_the_end_whatever_offset_it_has),
        FILE_TEST(a_write_by_others_drops_setuid),
        FILE_TEST(a_close_is_ready_when_nothing_is_dirty),
        FILE_TEST(fallocate_answers_with_its_errors),
        FILE_TEST(allocation_moves_the_end_unless_told_not_to),
        SMALL_CHUNKS_TEST(a_hole_in_a_buffer_that_a_read_completed_is_zeros),
        SMALL_CHUNKS_TEST(zeros_become_a_hole),
        FILE_TEST(the_best_unit_is_large_for_an_empty_file_and_a_page_for_others),
        FILE_TEST(seek_answers_with_its_errors),
        FILE_TEST(many_holes_in_one_chunk_can_be_committed),
        FILE_TEST(a_copy_of_whole_chunks_shares_their_frames),
        FILE_TEST(a_copy_of_a_split_frame_counts_it_once),
        FILE_TEST(copy_answers_at_its_limits),
        SMALL_CHUNKS_TEST(checksums_are_those_of_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
