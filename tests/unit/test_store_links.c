/*
 * Nothing outside of a store is read, cut or overwritten because something in the store leads
 * there.
 *
 * Method: a part of a closed store is moved out of it, and a link put in its place; or a pipe or a
 * socket, at which an open would wait for ever. Every way to open the store refuses it with a line
 * that names the part, and what was moved is as it was.
 */
#include "store_fixture.h"

#include "store/base/crc32c.h"
#include "store/check/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_S_MAX = 60 }; /* an open that waits at a pipe is ended by this alarm */

static int set_up(void **state)
{
    int err = fixture_set_up(state);

    if (err)
        return err;
    fixture_make_file(*state, "file", TFS_MIB, 1);
    fixture_close(*state);
    (void)alarm(OPEN_S_MAX);
    return 0;
}

static void path_in(const struct fixture *fixture, const char *part, char path[500])
{
    assert_in_range(snprintf(path, 500, "%s/%s", fixture->path, part), 1, 499);
}

/* The first file of the directory with this in its name, from the store on. */
static void find_part(const struct fixture *fixture, const char *directory, const char *piece,
                      char part[300])
{
    char path[500];
    DIR *list;
    const struct dirent *entry;

    path_in(fixture, directory, path);
    list = opendir(path);
    assert_non_null(list);
    do {
        entry = readdir(list);
        assert_non_null(entry);
    } while (!strstr(entry->d_name, piece));
    (void)snprintf(part, 300, "%s/%s", directory, entry->d_name);
    (void)closedir(list);
}

/* Of a file, or of the names in a directory: of what an open would change first. */
static uint32_t sum_of(const char *path)
{
    char command[600];
    uint8_t bytes[4096];
    uint32_t sum = 0;
    size_t size;
    FILE *pipe;

    (void)snprintf(command, sizeof(command),
                   "cd '%s' 2>/dev/null && find . -type f | sort | xargs cat || cat '%s'", path,
                   path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    while ((size = fread(bytes, 1, sizeof(bytes), pipe)) > 0)
        sum = tfs_crc32c(sum, bytes, size);
    (void)pclose(pipe);
    return sum;
}

static void assert_refused(struct fixture *fixture, int err, const char *name)
{
    assert_true(err < 0);
    if (!strstr(fixture->message.text, name))
        fail_msg("'%s' does not name '%s'", fixture->message.text, name);
    assert_null(strchr(fixture->message.text, '\n'));
}

static void assert_all_refuse(struct fixture *fixture, const char *name)
{
    struct tfs_check_options check = {.path = fixture->path};
    struct tfs_check_result result;

    for (int read_only = 0; read_only < 2; read_only++) {
        fixture->options.read_only = read_only;
        fixture->options.create = !read_only;
        assert_refused(fixture, fixture_try_open(fixture), name);
    }
    for (int repair = 0; repair < 2; repair++) {
        check.repair = repair;
        fixture->message.text[0] = '\0';
        assert_refused(fixture, tfs_check(&check, &fixture->message, &result), name);
    }
}

static void assert_link_is_refused(struct fixture *fixture, const char *part, const char *name)
{
    char path[500];
    char outside[500];
    uint32_t sum;

    path_in(fixture, part, path);
    (void)snprintf(outside, sizeof(outside), "%s/outside", fixture->directory);
    assert_int_equal(rename(path, outside), 0);
    assert_int_equal(symlink(outside, path), 0);
    sum = sum_of(outside);
    assert_all_refuse(fixture, name);
    assert_true(sum_of(outside) == sum);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(outside, path), 0);
    fixture->options.read_only = false;
    fixture_open(fixture); /* with the part back all is there */
    fixture_assert_file(fixture, "file", TFS_MIB, 1);
    fixture_close(fixture);
}

static void a_segment_that_is_a_link_is_refused(void **state)
{
    char part[300];

    find_part(*state, "segments", ".seg", part);
    assert_link_is_refused(*state, part, part);
}

static void directories_of_a_store_that_are_links_are_refused(void **state)
{
    assert_link_is_refused(*state, "segments", "'segments'");
    assert_link_is_refused(*state, "index", "'index'");
}

static void files_of_the_index_that_are_links_are_refused(void **state)
{
    static const char *const pieces[] = {"CURRENT", "SEAL", "MANIFEST", "LOCK", ".sst"};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(pieces); i++) {
        char part[300];

        find_part(*state, "index", pieces[i], part);
        assert_link_is_refused(*state, part, part);
    }
}

static void a_format_that_is_a_link_is_refused(void **state)
{
    assert_link_is_refused(*state, "FORMAT", "FORMAT");
}

static void a_new_store_is_not_made_through_a_link(void **state)
{
    struct fixture *fixture = *state;
    char path[500];
    char outside[500];
    uint32_t sum;
    int fd;

    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/new", fixture->directory);
    (void)snprintf(outside, sizeof(outside), "%s/outside", fixture->directory);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    fd = open(outside, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(close(fd), 0); /* an empty FORMAT.new is made anew */
    path_in(fixture, "FORMAT.new", path);
    assert_int_equal(symlink(outside, path), 0);
    sum = sum_of(outside);
    assert_refused(fixture, fixture_try_open(fixture), "FORMAT.new");
    assert_true(sum_of(outside) == sum);
}

static void pipes_and_sockets_in_a_store_are_refused_and_not_waited_for(void **state)
{
    struct fixture *fixture = *state;
    char parts[3][300] = {"FORMAT", "index/CURRENT"};
    char path[500];
    char kept[500];

    find_part(fixture, "segments", ".seg", parts[2]);
    (void)snprintf(kept, sizeof(kept), "%s/kept", fixture->directory);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(parts); i++) {
        for (int kind = 0; kind < 2; kind++) {
            path_in(fixture, parts[i], path);
            assert_int_equal(rename(path, kept), 0);
            assert_int_equal(mknod(path, (kind ? S_IFSOCK : S_IFIFO) | 0600, 0), 0);
            assert_all_refuse(fixture, parts[i]);
            assert_int_equal(unlink(path), 0);
            assert_int_equal(rename(kept, path), 0);
        }
    }
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(a_segment_that_is_a_link_is_refused),
        LINK_TEST(directories_of_a_store_that_are_links_are_refused),
        LINK_TEST(files_of_the_index_that_are_links_are_refused),
        LINK_TEST(a_format_that_is_a_link_is_refused),
        LINK_TEST(a_new_store_is_not_made_through_a_link),
        LINK_TEST(pipes_and_sockets_in_a_store_are_refused_and_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
