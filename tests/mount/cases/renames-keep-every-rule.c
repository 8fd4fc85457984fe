/*
 * CASE: rename moves and replaces files and directories atomically, NOREPLACE and EXCHANGE too
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { race_rounds = 300, race_bytes = 20000 };

static void rename_replaces_an_existing_file(void **state)
{
    struct stat source;
    int old;

    (void)state;
    case_write_text("new", "new content");
    case_write_text("target", "old content");
    source = case_stat("new");
    old = (int)assert_ok(open("target", O_RDONLY));

    assert_ok(rename("new", "target"));
    case_expect_absent("new");
    case_expect_text("target", "new content");
    assert_int_equal(case_stat("target").st_ino, source.st_ino);
    assert_int_equal(case_fstat(old).st_nlink, 0);
    case_expect_fd(old, "old content", 11);
    assert_ok(close(old));
}

static void rename_leaves_other_links_of_the_replaced_file_alone(void **state)
{
    (void)state;
    case_write_text("new", "new");
    case_write_text("target", "old");
    assert_ok(link("target", "other"));
    assert_int_equal(case_stat("other").st_nlink, 2);
    assert_ok(rename("new", "target"));
    assert_int_equal(case_stat("other").st_nlink, 1);
    case_expect_text("other", "old");
    case_expect_text("target", "new");
}

static void noreplace_refuses_a_name_that_exists(void **state)
{
    (void)state;
    case_write_text("a", "a");
    case_write_text("b", "b");
    assert_fails(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
    case_expect_text("a", "a");
    case_expect_text("b", "b");
    assert_ok(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
    case_expect_absent("a");
    case_expect_text("c", "a");
}

static void exchange_swaps_two_names(void **state)
{
    struct stat a, b;

    (void)state;
    case_write_text("a", "a");
    case_write_text("b", "b");
    a = case_stat("a");
    b = case_stat("b");
    assert_ok(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
    case_expect_text("a", "b");
    case_expect_text("b", "a");
    assert_int_equal(case_stat("a").st_ino, b.st_ino);
    assert_int_equal(case_stat("b").st_ino, a.st_ino);
    assert_fails(renameat2(AT_FDCWD, "a", AT_FDCWD, "missing", RENAME_EXCHANGE), ENOENT);
    assert_fails(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE),
                 EINVAL);
    assert_fails(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 1u << 30), EINVAL);
}

static void exchange_of_a_file_and_a_directory_moves_the_link_counts(void **state)
{
    (void)state;
    assert_ok(mkdir("left", 0777));
    assert_ok(mkdir("right", 0777));
    assert_ok(mkdir("left/x", 0777));
    case_write_text("left/x/inside", "inside");
    case_write_text("right/y", "file");
    assert_ok(renameat2(AT_FDCWD, "left/x", AT_FDCWD, "right/y", RENAME_EXCHANGE));
    case_expect_text("left/x", "file");
    case_expect_text("right/y/inside", "inside");
    assert_int_equal(case_stat("left").st_nlink, 2);
    assert_int_equal(case_stat("right").st_nlink, 3);
    assert_int_equal(case_stat("right/y/..").st_ino, case_stat("right").st_ino);
}

static void directories_replace_only_empty_directories(void **state)
{
    (void)state;
    assert_ok(mkdir("source", 0777));
    case_write_text("source/file", "moved");
    assert_ok(mkdir("empty", 0777));
    assert_ok(mkdir("full", 0777));
    case_write_text("full/file", "");
    case_write_text("file", "");
    assert_fails(rename("source", "full"), ENOTEMPTY);
    assert_fails(rename("source", "file"), ENOTDIR);
    assert_fails(rename("file", "empty"), EISDIR);
    assert_ok(rename("source", "empty"));
    case_expect_absent("source");
    case_expect_text("empty/file", "moved");
}

static void a_directory_cannot_move_into_itself(void **state)
{
    (void)state;
    assert_ok(mkdir("a", 0777));
    assert_ok(mkdir("a/b", 0777));
    assert_ok(mkdir("a/b/c", 0777));
    assert_fails(rename("a", "a/b/c/d"), EINVAL);
    assert_fails(rename("a", "a/b"), EINVAL);
    assert_fails(rename("a/b/c", "a"), ENOTEMPTY);
    assert_fails(renameat2(AT_FDCWD, "a", AT_FDCWD, "a/b/c", RENAME_EXCHANGE), EINVAL);
    assert_fails(renameat2(AT_FDCWD, "a/b/c", AT_FDCWD, "a", RENAME_EXCHANGE), EINVAL);
    assert_true(S_ISDIR(case_stat("a/b/c").st_mode));
}

static void renaming_a_file_to_itself_or_to_its_other_link_changes_nothing(void **state)
{
    (void)state;
    case_write_text("a", "content");
    assert_ok(link("a", "b"));
    assert_ok(rename("a", "a"));
    assert_ok(rename("a", "b"));
    case_expect_text("a", "content");
    case_expect_text("b", "content");
    assert_int_equal(case_stat("a").st_nlink, 2);
}

static void missing_and_special_names_answer_their_errno(void **state)
{
    (void)state;
    assert_ok(mkdir("directory", 0777));
    case_write_text("file", "");
    assert_fails(rename("missing", "x"), ENOENT);
    assert_fails(rename("file", "missing/x"), ENOENT);
    assert_fails(rename("file", "file/x"), ENOTDIR);
    assert_fails(rename("file", "x/"), ENOTDIR);
    assert_fails(rename("directory/.", "x"), EBUSY);
    assert_fails(rename("directory/..", "x"), EBUSY);
    assert_ok(rename("directory", "x/"));
    assert_true(S_ISDIR(case_stat("x").st_mode));
}

static void a_moved_directory_is_found_under_its_new_path_only(void **state)
{
    struct stat seen;

    (void)state;
    assert_ok(mkdir("from", 0777));
    assert_ok(mkdir("to", 0777));
    assert_ok(mkdir("from/step", 0777));
    assert_ok(mkdir("from/step/rank", 0777));
    case_write_text("from/step/rank/model", "weights");
    seen = case_stat("from/step/rank/model");

    assert_ok(rename("from/step", "to/step"));
    case_expect_absent("from/step");
    case_expect_absent("from/step/rank/model");
    case_expect_text("to/step/rank/model", "weights");
    assert_int_equal(case_stat("to/step/rank/model").st_ino, seen.st_ino);
    assert_int_equal(case_stat("to/step/..").st_ino, case_stat("to").st_ino);

    assert_ok(mkdir("from/step", 0777));
    case_expect_absent("from/step/rank");
}

static void an_open_file_follows_its_renames(void **state)
{
    int fd = case_create("part", 0644);

    (void)state;
    assert_int_equal(assert_ok(write(fd, "one ", 4)), 4);
    assert_ok(rename("part", "whole"));
    assert_int_equal(assert_ok(write(fd, "two", 3)), 3);
    case_expect_text("whole", "one two");
    assert_ok(mkdir("directory", 0777));
    assert_ok(rename("whole", "directory/whole"));
    assert_int_equal(assert_ok(write(fd, " three", 6)), 6);
    assert_ok(close(fd));
    case_expect_text("directory/whole", "one two three");
}

static void a_symlink_is_replaced_and_not_followed(void **state)
{
    char target[16];

    (void)state;
    case_write_text("step-1", "1");
    case_write_text("step-2", "2");
    assert_ok(symlink("step-1", "latest"));
    for (int step = 1; step <= 20; step++) {
        const char *wanted = step % 2 ? "step-2" : "step-1";

        assert_ok(symlink(wanted, "latest.new"));
        assert_ok(rename("latest.new", "latest"));
        assert_int_equal(assert_ok(readlink("latest", target, sizeof(target))), strlen(wanted));
        assert_memory_equal(target, wanted, strlen(wanted));
        case_expect_text("latest", step % 2 ? "2" : "1");
    }
    case_expect_text("step-1", "1");
}

static void write_generation(const char *path, int generation)
{
    char content[race_bytes];

    memset(content, 'a' + generation % 26, sizeof(content));
    case_write_file(path, content, sizeof(content));
}

/* Reads `shared` again and again; it must always be there, whole, and of one generation. */
static int watch_replacements(void *context)
{
    char content[race_bytes + 1];

    (void)context;
    for (int round = 0; round < race_rounds; round++) {
        int fd = (int)assert_ok(open("shared", O_RDONLY));
        size_t done = 0;
        ssize_t count;

        while ((count = assert_ok(read(fd, content + done, sizeof(content) - done))) > 0)
            done += (size_t)count;
        assert_int_equal(done, race_bytes);
        for (size_t i = 1; i < done; i++)
            assert_int_equal(content[i], content[0]);
        assert_ok(close(fd));
    }
    return 0;
}

static void readers_never_miss_a_name_that_is_being_replaced(void **state)
{
    pid_t reader;

    (void)state;
    write_generation("shared", 0);
    case_fork(watch_replacements, NULL, &reader);
    for (int generation = 1; generation <= race_rounds; generation++) {
        write_generation("shared.new", generation);
        assert_ok(rename("shared.new", "shared"));
    }
    case_join(reader);
}

/* Claims every token that is still there under a name that tells who did. */
static int claim_tokens(void *context)
{
    const char *who = context;
    char token[32], claimed[32];

    for (int i = 0; i < race_rounds; i++) {
        assert_true(snprintf(token, sizeof(token), "token-%d", i) > 0);
        assert_true(snprintf(claimed, sizeof(claimed), "claimed/%s-%d", who, i) > 0);
        if (rename(token, claimed) == -1)
            assert_int_equal(errno, ENOENT);
    }
    return 0;
}

static void of_two_racing_renames_exactly_one_succeeds(void **state)
{
    char names[2][32] = {"a", "b"}, path[64];
    pid_t claimers[2];
    int claimed = 0;

    (void)state;
    assert_ok(mkdir("claimed", 0777));
    for (int i = 0; i < race_rounds; i++) {
        assert_true(snprintf(path, sizeof(path), "token-%d", i) > 0);
        case_write_text(path, "");
    }
    for (int i = 0; i < 2; i++)
        case_fork(claim_tokens, names[i], &claimers[i]);
    for (int i = 0; i < 2; i++)
        case_join(claimers[i]);
    for (int i = 0; i < 2 * race_rounds; i++) {
        struct stat seen;

        assert_true(snprintf(path, sizeof(path), "claimed/%s-%d", names[i % 2], i / 2) > 0);
        if (stat(path, &seen) == 0) {
            assert_int_equal(seen.st_nlink, 1);
            claimed++;
        }
    }
    assert_int_equal(claimed, race_rounds);
}

/* safetensors' way: no fsync, but what a name shows after a crash is what was written before. */
static void a_file_renamed_into_place_is_whole_after_a_crash(void **state)
{
    enum { size = 3000001 };
    char *old = case_buffer(size), *new = case_buffer(size);

    (void)state;
    case_fill(old, size, 1);
    case_fill(new, size, 2);
    case_write_file("model", old, size);
    case_write_file("model.tmp", new, size);
    assert_ok(rename("model.tmp", "model"));
    if (case_is_plain())
        skip();
    case_control("crash");
    case_expect_file("model", new, size);
    case_expect_absent("model.tmp");
    free(old);
    free(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(rename_replaces_an_existing_file),
        CASE_TEST(rename_leaves_other_links_of_the_replaced_file_alone),
        CASE_TEST(noreplace_refuses_a_name_that_exists),
        CASE_TEST(exchange_swaps_two_names),
        CASE_TEST(exchange_of_a_file_and_a_directory_moves_the_link_counts),
        CASE_TEST(directories_replace_only_empty_directories),
        CASE_TEST(a_directory_cannot_move_into_itself),
        CASE_TEST(renaming_a_file_to_itself_or_to_its_other_link_changes_nothing),
        CASE_TEST(missing_and_special_names_answer_their_errno),
        CASE_TEST(a_moved_directory_is_found_under_its_new_path_only),
        CASE_TEST(an_open_file_follows_its_renames),
        CASE_TEST(a_symlink_is_replaced_and_not_followed),
        CASE_TEST(readers_never_miss_a_name_that_is_being_replaced),
        CASE_TEST(of_two_racing_renames_exactly_one_succeeds),
        CASE_TEST(a_file_renamed_into_place_is_whole_after_a_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
