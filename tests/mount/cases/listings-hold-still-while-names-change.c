/*
 * CASE: readdir shows every lasting name exactly once while other names come and go
 */
#include "tests/mount/case.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { lasting = 3000 };

static void make_names(const char *directory, const char *prefix, int from, int to)
{
    char path[300];

    for (int i = from; i < to; i++) {
        assert_true(snprintf(path, sizeof(path), "%s/%s%d", directory, prefix, i) > 0);
        assert_ok(mknod(path, S_IFREG | 0644, 0));
    }
}

static void remove_names(const char *directory, const char *prefix, int from, int to)
{
    char path[300];

    for (int i = from; i < to; i++) {
        assert_true(snprintf(path, sizeof(path), "%s/%s%d", directory, prefix, i) > 0);
        assert_ok(unlink(path));
    }
}

/* Notes one name "keepN"; false for any other. A second time is a failure. */
static bool note_lasting(const char *name, uint8_t *seen)
{
    int number;

    if (sscanf(name, "keep%d", &number) != 1)
        return false;
    assert_in_range(number, 0, lasting - 1);
    if (seen[number]++)
        fail_msg("'%s' was listed twice", name);
    return true;
}

static void expect_all_lasting(const uint8_t *seen)
{
    for (int i = 0; i < lasting; i++) {
        if (seen[i] != 1)
            fail_msg("'keep%d' was listed %d times", i, seen[i]);
    }
}

static void entries_tell_inode_and_type_of_every_kind(void **state)
{
    static const char *const names[] = {"file", "directory", "link", "fifo", "socket", "device"};
    static const unsigned char types[] = {DT_REG, DT_DIR, DT_LNK, DT_FIFO, DT_SOCK, DT_CHR};
    int found = 0, dots = 0;
    DIR *listing;

    (void)state;
    assert_ok(mkdir("d", 0755));
    case_write_text("d/file", "");
    assert_ok(mkdir("d/directory", 0755));
    assert_ok(symlink("file", "d/link"));
    assert_ok(mknod("d/fifo", S_IFIFO | 0644, 0));
    assert_ok(mknod("d/socket", S_IFSOCK | 0644, 0));
    assert_ok(mknod("d/device", S_IFCHR | 0644, 0x103));
    listing = opendir("d");
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            assert_int_equal(entry->d_type, DT_DIR);
            assert_int_equal(entry->d_ino, case_stat(entry->d_name[1] ? "." : "d").st_ino);
            dots++;
        }
        for (size_t i = 0; i < sizeof(types); i++) {
            char path[32];

            if (strcmp(entry->d_name, names[i]) != 0)
                continue;
            assert_true(snprintf(path, sizeof(path), "d/%s", names[i]) > 0);
            assert_int_equal(entry->d_type, types[i]);
            assert_int_equal(entry->d_ino, case_lstat(path).st_ino);
            found++;
        }
    }
    assert_int_equal(found, sizeof(types));
    assert_int_equal(dots, 2);
    assert_int_equal(closedir(listing), 0);
}

static void removing_while_listing_empties_a_directory_in_one_pass(void **state)
{
    DIR *listing;

    (void)state;
    assert_ok(mkdir("d", 0755));
    make_names("d", "f", 0, lasting);
    listing = opendir("d");
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_name[0] != '.')
            assert_ok(unlinkat(dirfd(listing), entry->d_name, 0));
    }
    assert_int_equal(closedir(listing), 0);
    assert_ok(rmdir("d"));
}

static void lasting_names_are_listed_once_while_others_come_and_go(void **state)
{
    uint8_t *seen = case_buffer(lasting);
    DIR *listing;
    int step = 0;

    (void)state;
    assert_ok(mkdir("d", 0755));
    for (int i = 0; i < lasting; i += 500) {
        make_names("d", "keep", i, i + 500);
        make_names("d", "a-early", i, i + 100);
        make_names("d", "z-early", i, i + 100);
    }
    listing = opendir("d");
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        (void)note_lasting(entry->d_name, seen);
        if (++step % 10 != 0 || step >= lasting)
            continue;
        make_names("d", "a-late", step, step + 3);
        make_names("d", "m-late", step, step + 3);
        make_names("d", "z-late", step, step + 3);
        remove_names("d", "a-late", step, step + 2);
        if (step % 500 < 100) {
            remove_names("d", "a-early", step, step + 1);
            remove_names("d", "z-early", step, step + 1);
        }
    }
    assert_int_equal(closedir(listing), 0);
    expect_all_lasting(seen);
    free(seen);
}

/* Until it is killed. */
static __attribute__((noreturn)) int churn(void *context)
{
    (void)context;
    for (;;) {
        make_names("d", "churn", 0, 20);
        assert_ok(mkdir("d/directory", 0755));
        assert_ok(rename("d/churn0", "d/moved"));
        remove_names("d", "churn", 1, 20);
        assert_ok(unlink("d/moved"));
        assert_ok(rmdir("d/directory"));
    }
}

static void listings_of_another_process_hold_still_too(void **state)
{
    uint8_t *seen = case_buffer(lasting);
    pid_t changer;

    (void)state;
    assert_ok(mkdir("d", 0755));
    make_names("d", "keep", 0, lasting);
    case_fork(churn, NULL, &changer);
    for (int round = 0; round < 10; round++) {
        DIR *listing = opendir("d");

        assert_non_null(listing);
        memset(seen, 0, lasting);
        for (struct dirent *entry; (entry = readdir(listing));)
            (void)note_lasting(entry->d_name, seen);
        assert_int_equal(closedir(listing), 0);
        expect_all_lasting(seen);
    }
    assert_ok(kill(changer, SIGKILL));
    assert_int_equal(assert_ok(waitpid(changer, NULL, 0)), changer);
    free(seen);
}

static void telldir_and_seekdir_return_to_the_same_entry(void **state)
{
    enum { stride = 50 };
    long *places = case_buffer(lasting * sizeof(*places));
    char(*names)[32] = case_buffer(lasting * sizeof(*names));
    struct dirent *entry;
    DIR *listing;
    int count = 0;

    (void)state;
    assert_ok(mkdir("d", 0755));
    make_names("d", "keep", 0, lasting);
    listing = opendir("d");
    assert_non_null(listing);
    for (int i = 0;; i++) {
        long place = telldir(listing);

        entry = readdir(listing);
        if (!entry)
            break;
        if (i % stride || strncmp(entry->d_name, "keep", 4) != 0)
            continue;
        places[count] = place;
        memcpy(names[count++], entry->d_name, strlen(entry->d_name) + 1);
    }
    make_names("d", "new", 0, 200);
    for (int i = count - 1; i >= 0; i--) {
        seekdir(listing, places[i]);
        do { /* a new name may have come to stand before the old one */
            entry = readdir(listing);
            assert_non_null(entry);
        } while (strncmp(entry->d_name, "new", 3) == 0);
        assert_string_equal(entry->d_name, names[i]);
    }
    assert_true(count > lasting / stride - 2);
    assert_int_equal(closedir(listing), 0);
    free(places);
    free(names);
}

/* The place after a name stays good when that name and its neighbours are gone. */
static void a_place_survives_the_removal_of_its_neighbours(void **state)
{
    uint8_t *seen = case_buffer(lasting);
    DIR *listing;
    long place = 0;
    int step = 0;

    (void)state;
    assert_ok(mkdir("d", 0755));
    make_names("d", "keep", 0, lasting);
    listing = opendir("d");
    assert_non_null(listing);
    for (struct dirent *entry; step < lasting / 2 && (entry = readdir(listing));) {
        if (note_lasting(entry->d_name, seen)) {
            assert_ok(unlinkat(dirfd(listing), entry->d_name, 0));
            step++;
        }
        place = telldir(listing);
    }
    seekdir(listing, place);
    for (struct dirent *entry; (entry = readdir(listing));)
        (void)note_lasting(entry->d_name, seen);
    expect_all_lasting(seen);
    assert_int_equal(closedir(listing), 0);
    free(seen);
}

static void rewinddir_shows_what_is_new(void **state)
{
    DIR *listing;
    int count = 0;

    (void)state;
    assert_ok(mkdir("d", 0755));
    make_names("d", "old", 0, 5);
    listing = opendir("d");
    assert_non_null(listing);
    while (readdir(listing))
        ;
    make_names("d", "new", 0, 5);
    assert_ok(unlink("d/old3"));
    rewinddir(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        assert_string_not_equal(entry->d_name, "old3");
        count++;
    }
    assert_int_equal(count, 2 + 9);
    assert_int_equal(closedir(listing), 0);
}

static void a_second_listing_is_never_the_first_one_remembered(void **state)
{
    (void)state;
    assert_ok(mkdir("d", 0755));
    for (int i = 0; i < 40; i++) {
        DIR *listing;
        int count = 0;

        make_names("d", "f", i, i + 1);
        listing = opendir("d");
        assert_non_null(listing);
        while (readdir(listing))
            count++;
        assert_int_equal(count, i + 3);
        assert_int_equal(closedir(listing), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(entries_tell_inode_and_type_of_every_kind),
        CASE_TEST(removing_while_listing_empties_a_directory_in_one_pass),
        CASE_TEST(lasting_names_are_listed_once_while_others_come_and_go),
        CASE_TEST(listings_of_another_process_hold_still_too),
        CASE_TEST(telldir_and_seekdir_return_to_the_same_entry),
        CASE_TEST(a_place_survives_the_removal_of_its_neighbours),
        CASE_TEST(rewinddir_shows_what_is_new),
        CASE_TEST(a_second_listing_is_never_the_first_one_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
