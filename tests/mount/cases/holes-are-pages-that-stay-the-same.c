/*
 * CASE: SEEK_DATA and SEEK_HOLE answer in pages, the same before and after data is written back
 *
 * The patterns are those of generic/436, 445, 490 and 539 of xfstests: pages of data with holes of
 * a page between them, closer to each other than a record; a first byte anywhere; parts of pages
 * punched; space that was allocated and not written.
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

enum { page = 4096, pages_max = 512 };

/* What the file should be, a letter for each page: '.' is a hole. */
static void expect_pages(int fd, const char *wanted)
{
    size_t count = strlen(wanted);
    char seen[pages_max + 1];
    off_t at = 0;

    assert_true(count < pages_max);
    memset(seen, '.', count);
    seen[count] = '\0';
    while (at < (off_t)count * page) {
        off_t data = lseek(fd, at, SEEK_DATA);
        off_t hole;

        if (data == -1) {
            assert_int_equal(errno, ENXIO);
            break;
        }
        assert_int_equal(data % page, 0);
        hole = assert_ok(lseek(fd, data, SEEK_HOLE));
        assert_true(hole > data && (hole % page == 0 || hole == case_fstat(fd).st_size));
        memset(seen + data / page, '#', (size_t)(hole - data + page - 1) / page);
        at = hole;
    }
    assert_string_equal(seen, wanted);
    for (size_t i = 0; i < count; i++) { /* from any byte of a page */
        off_t from = (off_t)i * page + (off_t)(i * 997 % page);

        assert_true((lseek(fd, from, SEEK_DATA) == from) == (wanted[i] == '#'));
        assert_true((lseek(fd, from, SEEK_HOLE) == from) == (wanted[i] == '.'));
    }
}

/* Now, when it is synced, and when nobody knows what was written how. */
static void expect_pages_always(int fd, const char *wanted)
{
    expect_pages(fd, wanted);
    assert_ok(fsync(fd));
    expect_pages(fd, wanted);
    assert_ok(close(fd));
    case_control("remount");
    fd = (int)assert_ok(open("file", O_RDONLY));
    expect_pages(fd, wanted);
    assert_ok(close(fd));
    assert_ok(unlink("file"));
}

static void write_pages(int fd, const char *where)
{
    char bytes[page];

    for (size_t i = 0; where[i]; i++) {
        case_fill(bytes, page, i + 1);
        if (where[i] == '#')
            assert_int_equal(assert_ok(pwrite(fd, bytes, page, (off_t)i * page)), page);
    }
}

static void holes_of_a_page_are_seen_wherever_they_lie(void **state)
{
    static const char *const patterns[] = {
        "#.#",
        ".#",
        "##.....#",
        "#..........................................................#",
        ".#.#.#.#.#.#.##..##...###................................................#.#",
        "................................................................#.#"};

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        int fd = case_create("file", 0644);

        write_pages(fd, patterns[i]);
        expect_pages_always(fd, patterns[i]);
    }
}

/* What is written in turns with syncs is put together from several frames and buffers. */
static void pages_that_are_written_one_by_one_fill_the_holes(void **state)
{
    char shown[81] = "";
    int fd = case_create("file", 0644);

    (void)state;
    memset(shown, '.', 80);
    assert_ok(ftruncate(fd, (off_t)80 * page));
    for (size_t i = 0; i < 40; i++) {
        char bytes[page];
        size_t at = i * 37 % 80;

        case_fill(bytes, page, i + 1);
        assert_int_equal(assert_ok(pwrite(fd, bytes, page, (off_t)at * page)), page);
        shown[at] = '#';
        if (i % 3 == 0)
            assert_ok(fsync(fd));
        if (i % 4 == 0)
            expect_pages(fd, shown);
    }
    expect_pages_always(fd, shown);
}

static void the_first_byte_is_found_by_the_page(void **state)
{
    (void)state;
    for (off_t at = 1; at < 4 << 20; at = at * 3 + 1) {
        int fd = case_create("file", 0644);

        assert_int_equal(assert_ok(pwrite(fd, "a", 1, at)), 1);
        for (int synced = 0; synced < 2; synced++) {
            assert_int_equal(assert_ok(lseek(fd, 0, SEEK_DATA)), at / page * page);
            assert_int_equal(assert_ok(lseek(fd, at, SEEK_HOLE)), at + 1);
            assert_ok(fsync(fd));
        }
        assert_ok(close(fd));
        assert_ok(unlink("file"));
    }
}

static void punching_makes_holes_of_whole_pages_only(void **state)
{
    const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    int fd = case_create("file", 0644);

    (void)state;
    write_pages(fd,
                "################################################################################");
    assert_ok(fallocate(fd, punch, 10, page - 20));           /* a part of a page */
    assert_ok(fallocate(fd, punch, 3 * page - 5, page + 10)); /* one, and parts beside it */
    assert_ok(fallocate(fd, punch, 10 * page, 2 * page));
    assert_ok(fsync(fd));
    assert_ok(fallocate(fd, punch, 70 * page, page));
    expect_pages_always(
        fd, "###.######..##########################################################.#########");
}

static void allocated_space_is_a_hole_until_it_is_written(void **state)
{
    int fd = case_create("file", 0644);

    (void)state;
    assert_ok(fallocate(fd, 0, 0, 80 * page));
    write_pages(fd, "....#.#.................................................................#");
    expect_pages_always(
        fd, "....#.#.................................................................#.......");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(holes_of_a_page_are_seen_wherever_they_lie),
        CASE_TEST(pages_that_are_written_one_by_one_fill_the_holes),
        CASE_TEST(the_first_byte_is_found_by_the_page),
        CASE_TEST(punching_makes_holes_of_whole_pages_only),
        CASE_TEST(allocated_space_is_a_hole_until_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
