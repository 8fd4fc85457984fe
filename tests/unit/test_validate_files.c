/*
 * Goal: what a person names is checked, by whatever links it is reached, each file once; where
 * there is nothing to check, that is no success; and a manifest is there whole or not at all.
 * Method: trees with links in a temporary directory, and the command run on them.
 */
#include "formats_fixture.h"
#include "tools/common/console.h"
#include "validate_command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* One tensor of two elements, the second of them NaN. */
static void nan_write(const char *name)
{
    static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    struct bytes bytes = {0};

    safetensors_build(header, 8, &bytes);
    memcpy(bytes.data + bytes.size - 4, "\x00\x00\xc0\x7f", 4);
    file_write(name, bytes.data, bytes.size);
    bytes_free(&bytes);
}

static void link_make(const char *target, const char *name)
{
    assert_int_equal(symlink(target, in_directory(name)), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (directory_make() < 0)
        return -1;
    nan_write("run/step-100/model.safetensors");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove();
}

static void a_link_that_is_named_is_followed(void **state)
{
    (void)state;
    link_make("step-100", "run/latest");
    link_make("step-100/model.safetensors", "run/best.safetensors");
    assert_int_equal(command(in_directory("run/latest"), "--no-nan", NULL), 1);
    assert_output_has("run/latest/model.safetensors: safetensors, 1 tensors");
    assert_output_has("1 NaN");
    assert_int_equal(command(in_directory("run/best.safetensors"), "--no-nan", NULL), 1);
    assert_output_has("1 NaN");
}

static void links_to_files_below_a_directory_are_followed(void **state)
{
    (void)state;
    nan_write("cache/blobs/0123456789abcdef");
    file_write("cache/snapshots/rev/.keep", "", 0);
    link_make("../../blobs/0123456789abcdef", "cache/snapshots/rev/model.safetensors");
    assert_int_equal(command(in_directory("cache/snapshots/rev"), "--no-nan", NULL), 1);
    assert_output_has("rev/model.safetensors: safetensors");
    assert_output_has("1 NaN");
}

static void a_file_of_several_names_is_checked_once_by_the_name_that_says_more(void **state)
{
    (void)state;
    nan_write("cache/blobs/0123456789abcdef");
    file_write("cache/snapshots/rev/.keep", "", 0);
    link_make("../../blobs/0123456789abcdef", "cache/snapshots/rev/model.safetensors");
    link_make("model.safetensors", "cache/snapshots/rev/again.safetensors");
    assert_int_equal(link(in_directory("cache/blobs/0123456789abcdef"),
                          in_directory("cache/blobs/hard.safetensors")),
                     0);
    assert_int_equal(command(in_directory("cache"), "--no-nan", NULL), 1);
    assert_output_has("safetensors: safetensors, 1 tensors");
    assert_output_has("2 files, ");
    assert_output_has("1 problems");
    assert_output_lacks("0123456789abcdef");
}

/* A copy has every name, and so has its manifest. */
static void a_manifest_has_every_name(void **state)
{
    (void)state;
    link_make("step-100/model.safetensors", "run/best.safetensors");
    assert_int_equal(
        command(in_directory("run"), "--write-manifest", in_directory("manifest"), NULL), 0);
    assert_int_equal(unlink(in_directory("run/best.safetensors")), 0);
    nan_write("run/best.safetensors");
    assert_int_equal(command(in_directory("run"), "--against", in_directory("manifest"), NULL), 0);
    assert_output_has("2 files, ");
    assert_output_has("best.safetensors: safetensors, 1 tensors");
}

static void links_in_a_circle_and_into_nothing_are_named_and_end(void **state)
{
    (void)state;
    link_make("b", "run/a");
    link_make("a", "run/b");
    link_make("nothing.safetensors", "run/shard.safetensors");
    link_make(".", "run/here");
    link_make("../run/step-100", "run/latest");
    assert_int_equal(command(in_directory("run"), NULL), 1);
    assert_output_has("run/a: ");
    assert_output_has("cannot be opened: Too many levels of symbolic links");
    assert_output_has("shard.safetensors: raw, 0 tensors, 0 bytes, BAD");
    assert_output_has("cannot be opened: No such file or directory");
    assert_output_has("4 files, ");
    assert_string_equal(errors, "");
}

static void a_link_to_a_directory_elsewhere_is_said_and_not_followed(void **state)
{
    (void)state;
    nan_write("elsewhere/model.safetensors");
    link_make("../elsewhere", "run/elsewhere");
    assert_int_equal(command(in_directory("run"), NULL), 0);
    assert_output_has("1 files, ");
    assert_errors_have("run/elsewhere leads to another directory, which is not looked into");
}

static void nothing_to_check_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_directory("empty"), 0700), 0);
    assert_int_equal(mkdir(in_directory("empty/below"), 0700), 0);
    assert_int_equal(mkfifo(in_directory("fifo"), 0600), 0);
    link_make("../fifo", "empty/fifo");
    assert_int_equal(command(in_directory("empty"), NULL), 2);
    assert_errors_have("empty: nothing to check: there are no files in it");
    assert_string_equal(output, "");
    assert_int_equal(command(in_directory("run"), in_directory("empty"), NULL), 2);
    assert_int_equal(
        command(in_directory("empty"), "--write-manifest", in_directory("manifest"), NULL), 2);
    assert_int_equal(access(in_directory("manifest"), F_OK), -1);
    assert_int_equal(command(in_directory("empty"), "--compare-sequential", NULL), 2);
}

/* All of them are missing, which says more than that there is nothing. */
static void an_empty_directory_lacks_what_a_manifest_has(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_directory("empty"), 0700), 0);
    assert_int_equal(
        command(in_directory("run"), "--write-manifest", in_directory("manifest"), NULL), 0);
    assert_int_equal(command(in_directory("empty"), "--against", in_directory("manifest"), NULL),
                     1);
    assert_output_has("step-100/model.safetensors: in the manifest, but not found: BAD");
}

static void a_manifest_that_fails_leaves_the_one_that_was_there(void **state)
{
    static char text[4096];
    FILE *stream;
    size_t size;

    (void)state;
    file_write("manifest", "old", 3);
    assert_int_equal(chmod(in_directory("manifest"), 0640), 0);
    link_make("manifest", "link");
    file_write("run/bad\nname", "x", 1);
    assert_int_equal(command(in_directory("run"), "--write-manifest", in_directory("link"), NULL),
                     2);
    assert_int_equal(unlink(in_directory("run/bad\nname")), 0);
    stream = fopen(in_directory("manifest"), "re");
    size = fread(text, 1, sizeof(text), stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(size, 3);
    assert_int_equal(command(in_directory("run"), "--write-manifest", in_directory("link"), NULL),
                     0);
    stream = fopen(in_directory("link"), "re");
    size = fread(text, 1, sizeof(text), stream);
    assert_int_equal(fclose(stream), 0);
    assert_true(size > 20 && memcmp(text, "tensorfs-manifest 1\n", 20) == 0);
    assert_int_equal(readlink(in_directory("link"), text, sizeof(text)), 8);
    assert_int_equal(command(in_directory(""), "--against", in_directory("manifest"), NULL), 1);
    assert_output_lacks(".new-");
}

static void files_of_no_format_without_checksums_are_nothing_to_check(void **state)
{
    (void)state;
    file_write("raw/a.bin", "some bytes", 10);
    file_write("raw/b.txt", "a text", 6);
    assert_int_equal(command(in_directory("raw"), NULL), 2);
    assert_errors_have("nothing to check: no tensors in 2 files, and no checksums");
    assert_int_equal(command(in_directory("raw"), "--json", NULL), 2);
    assert_int_equal(command(in_directory("raw/a.bin"), NULL), 2);
    assert_int_equal(command(in_directory("raw"), "--write-manifest", in_directory("m"), NULL), 0);
    assert_int_equal(command(in_directory("raw"), "--against", in_directory("m"), NULL), 0);
    assert_int_equal(command(in_directory("raw"), "--against", in_directory("raw"), NULL), 0);
    nan_write("raw/w.safetensors");
    assert_int_equal(command(in_directory("raw"), NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_link_that_is_named_is_followed),
        TEST(links_to_files_below_a_directory_are_followed),
        TEST(a_file_of_several_names_is_checked_once_by_the_name_that_says_more),
        TEST(a_manifest_has_every_name),
        TEST(links_in_a_circle_and_into_nothing_are_named_and_end),
        TEST(a_link_to_a_directory_elsewhere_is_said_and_not_followed),
        TEST(nothing_to_check_is_an_error),
        TEST(files_of_no_format_without_checksums_are_nothing_to_check),
        TEST(an_empty_directory_lacks_what_a_manifest_has),
        TEST(a_manifest_that_fails_leaves_the_one_that_was_there),
    };

    console_init(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
