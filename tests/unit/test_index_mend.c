/*
 * A manifest whose end a power cut has torn, and what is cut off it for who asks.
 *
 * Method: the file is looked at record by record as RocksDB wrote it; then an index is closed, its
 * seal removed as after a crash, and bytes put behind its manifest that begin like a record.
 */
#include "test_index_fixture.h"

#include "store/base/log.h"
#include "store/index/rocksdb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The head of a record of 100 bytes, with a checksum of others: what is left when of two sectors
 * only the first was written. */
static const uint8_t torn[] = {0x11, 0x22, 0x33, 0x44, 100, 0, 1, 0xAA};

struct manifest {
    char name[ROCKS_MANIFEST_NAME_MAX];
    char path[400];
    uint8_t bytes[65536];
    size_t size;
};

static void silence(enum tfs_log_level level, const char *message)
{
    (void)level;
    (void)message;
}

static size_t read_file(const char *path, uint8_t *bytes, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size;

    assert_true(fd >= 0);
    size = read(fd, bytes, capacity);
    assert_true(size >= 0 && (size_t)size < capacity);
    (void)close(fd);
    return (size_t)size;
}

static void write_file(const char *path, int flags, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
}

static void manifest_read(const struct fixture *fixture, struct manifest *ret)
{
    char path[400];
    uint8_t line[ROCKS_MANIFEST_NAME_MAX];
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/CURRENT", fixture->path);
    size = read_file(path, line, sizeof(line));
    assert_true(size > 1);
    (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)size - 1, (const char *)line);
    (void)snprintf(ret->path, sizeof(ret->path), "%s/%s", fixture->path, ret->name);
    ret->size = read_file(ret->path, ret->bytes, sizeof(ret->bytes));
}

/* As after a crash: closed without a seal. */
static void crash(struct fixture *fixture)
{
    char seal[400];

    fixture_close(fixture);
    (void)snprintf(seal, sizeof(seal), "%s/SEAL", fixture->path);
    assert_int_equal(unlink(seal), 0);
}

static void tear(struct fixture *fixture, struct manifest *ret)
{
    assert_int_equal(commit_text(fixture, 1, 1, "one", true), 0);
    crash(fixture);
    manifest_read(fixture, ret);
    write_file(ret->path, O_APPEND, torn, sizeof(torn));
    /* RocksDB takes a record that the file's end cuts for none; so it must not be cut. */
    write_file(ret->path, O_APPEND, (uint8_t[200]){0}, 200);
}

static void a_manifest_of_rocksdb_is_whole_to_its_last_byte(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;

    crash(fixture);
    manifest_read(fixture, &manifest);
    assert_true(manifest.size > 100);
    assert_int_equal(rocks_manifest_whole_size(manifest.bytes, manifest.size), manifest.size);
    assert_int_equal(rocks_manifest_whole_size(manifest.bytes, 0), 0);
}

static void whatever_bit_is_wrong_what_lies_before_its_record_is_whole(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    size_t whole_before = 0;

    crash(fixture);
    manifest_read(fixture, &manifest);
    for (size_t at = 0; at < manifest.size; at++) {
        size_t whole;

        manifest.bytes[at] ^= 0x10;
        whole = rocks_manifest_whole_size(manifest.bytes, manifest.size);
        manifest.bytes[at] ^= 0x10;
        assert_true(whole <= at);
        assert_true(whole >= whole_before); /* the records before it are not doubted */
        assert_int_equal(rocks_manifest_whole_size(manifest.bytes, whole), whole);
        whole_before = whole;
    }
}

static void whatever_it_is_cut_at_only_whole_records_count(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;

    crash(fixture);
    manifest_read(fixture, &manifest);
    for (size_t size = 0; size < manifest.size; size++) {
        uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees a byte too much */
        size_t whole;

        memcpy(exact, manifest.bytes, size);
        exact = realloc(exact, size ? size : 1);
        assert_non_null(exact);
        whole = rocks_manifest_whole_size(exact, size);
        assert_true(whole <= size);
        assert_int_equal(rocks_manifest_whole_size(manifest.bytes, whole), whole);
        free(exact);
    }
}

static void noise_is_no_manifest(void **state)
{
    uint8_t bytes[5000];
    uint64_t dice = 42;

    (void)state;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            dice = dice * 6364136223846793005ull + 1442695040888963407ull;
            bytes[i] = (uint8_t)(dice >> 56);
        }
        assert_int_equal(rocks_manifest_whole_size(bytes, sizeof(bytes)), 0);
    }
}

static void a_torn_end_is_cut_off_and_kept_and_all_that_was_committed_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct manifest after;
    struct rocks_repaired repaired;
    uint8_t kept[65536];
    char kept_path[500];

    tear(fixture, &manifest);
    tfs_log_set_sink(silence);
    assert_int_equal(fixture_try_open(fixture, false, true, &fixture->index), -EUCLEAN);
    tfs_log_set_sink(NULL);

    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    assert_string_equal(repaired.manifest, manifest.name);
    assert_int_equal(repaired.cut_bytes, sizeof(torn) + 200);
    manifest_read(fixture, &after);
    assert_int_equal(after.size, manifest.size);
    assert_memory_equal(after.bytes, manifest.bytes, manifest.size);
    (void)snprintf(kept_path, sizeof(kept_path), "%s.damaged", manifest.path);
    assert_int_equal(read_file(kept_path, kept, sizeof(kept)), manifest.size + sizeof(torn) + 200);
    fixture_open(fixture, false);
    assert_text(fixture, 1, 1, "one");
    fixture_close(fixture);
    fixture_open(fixture, false); /* what is kept beside it disturbs nobody */
    assert_text(fixture, 1, 1, "one");
}

static void a_cut_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct manifest after;
    struct rocks_repaired repaired;

    tear(fixture, &manifest);
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    assert_int_equal(rocks_repair_undo(fixture->path, &repaired), 0);
    manifest_read(fixture, &after);
    assert_int_equal(after.size, manifest.size + sizeof(torn) + 200);
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0); /* and once more */
    assert_int_equal(repaired.cut_bytes, sizeof(torn) + 200);
    fixture_open(fixture, false);
}

static void a_cut_that_was_interrupted_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct rocks_repaired repaired;
    char kept_path[500];

    tear(fixture, &manifest);
    (void)snprintf(kept_path, sizeof(kept_path), "%s.damaged", manifest.path);
    assert_int_equal(link(manifest.path, kept_path), 0); /* and that was all */
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    assert_int_equal(repaired.cut_bytes, sizeof(torn) + 200);
    fixture_open(fixture, false);
}

/* As when the name of the new manifest is lost in a power cut, and CURRENT's change is not. */
static void without_the_manifest_that_current_names_the_one_before_is_taken(void **state)
{
    static const char line[] = "MANIFEST-999999\n";
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct rocks_repaired repaired;
    char current[400];
    uint8_t said[ROCKS_MANIFEST_NAME_MAX];

    assert_int_equal(commit_text(fixture, 1, 1, "one", true), 0);
    crash(fixture);
    manifest_read(fixture, &manifest);
    (void)snprintf(current, sizeof(current), "%s/CURRENT", fixture->path);
    write_file(current, O_TRUNC, line, sizeof(line) - 1);
    tfs_log_set_sink(silence);
    assert_int_equal(fixture_try_open(fixture, false, true, &fixture->index), -EIO);
    tfs_log_set_sink(NULL);

    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    assert_string_equal(repaired.missing, "MANIFEST-999999");
    assert_string_equal(repaired.manifest, manifest.name);
    assert_int_equal(rocks_repair_undo(fixture->path, &repaired), 0);
    assert_int_equal(read_file(current, said, sizeof(said)), sizeof(line) - 1);
    assert_memory_equal(said, line, sizeof(line) - 1);
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    fixture_open(fixture, false);
    assert_text(fixture, 1, 1, "one");
}

static void nothing_is_cut_from_a_whole_a_sealed_or_a_lost_manifest(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct rocks_repaired repaired = {.cut_bytes = 1};

    assert_int_equal(rocks_repair(fixture->path, &repaired), -EBUSY); /* open */
    fixture_close(fixture);
    manifest_read(fixture, &manifest);
    write_file(manifest.path, O_APPEND, torn, sizeof(torn));
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0); /* sealed: no crash tore that */
    assert_int_equal(repaired.cut_bytes, 0);
    assert_int_equal(truncate(manifest.path, (off_t)manifest.size), 0);

    fixture_open(fixture, false);
    crash(fixture);
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    assert_int_equal(repaired.cut_bytes, 0);

    manifest_read(fixture, &manifest);
    manifest.bytes[0] ^= 1; /* the first record: nothing would be left */
    write_file(manifest.path, O_TRUNC, manifest.bytes, manifest.size);
    assert_int_equal(rocks_repair(fixture->path, &repaired), 0);
    assert_int_equal(repaired.cut_bytes, 0);
    manifest.bytes[0] ^= 1;
    write_file(manifest.path, O_TRUNC, manifest.bytes, manifest.size);
    assert_int_equal(rocks_repair("/nowhere", &repaired), -ENOENT);
    fixture_open(fixture, false);
}

static int open_and_repair(struct fixture *fixture, struct index_repair *repair)
{
    struct index_options options = {.path = fixture->path,
                                    .read_only = true,
                                    .memory_size_max = 16 * TFS_MIB,
                                    .repair = repair};

    return index_open(&options, &fixture->index);
}

static void an_open_that_may_repair_does_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct index_repair repair = {.text = ""};

    tear(fixture, &manifest);
    tfs_log_set_sink(silence);
    assert_int_equal(open_and_repair(fixture, &repair), 0);
    tfs_log_set_sink(NULL);
    assert_non_null(strstr(repair.text, manifest.name));
    assert_non_null(strstr(repair.text, "cut off"));
    assert_text(fixture, 1, 1, "one");
    fixture_close(fixture);
    repair.text[0] = '\0';
    assert_int_equal(open_and_repair(fixture, &repair), 0); /* there is nothing to do any more */
    assert_string_equal(repair.text, "");
}

static void an_open_that_repaired_in_vain_leaves_all_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct manifest after;
    struct index_repair repair = {.text = ""};
    char log[600];

    tear(fixture, &manifest);
    newest_file(fixture, ".log", log, sizeof(log));
    assert_int_equal(unlink(log), 0);
    tfs_log_set_sink(silence);
    assert_int_equal(open_and_repair(fixture, &repair), -EUCLEAN);
    tfs_log_set_sink(NULL);
    assert_string_equal(repair.text, "");
    manifest_read(fixture, &after);
    assert_int_equal(after.size, manifest.size + sizeof(torn) + 200);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_manifest_of_rocksdb_is_whole_to_its_last_byte),
        TEST(whatever_bit_is_wrong_what_lies_before_its_record_is_whole),
        TEST(whatever_it_is_cut_at_only_whole_records_count),
        TEST(noise_is_no_manifest),
        TEST(a_torn_end_is_cut_off_and_kept_and_all_that_was_committed_is_there),
        TEST(a_cut_is_taken_back),
        TEST(a_cut_that_was_interrupted_is_made_again),
        TEST(without_the_manifest_that_current_names_the_one_before_is_taken),
        TEST(an_open_that_may_repair_does_and_says_so),
        TEST(an_open_that_repaired_in_vain_leaves_all_as_it_was),
        TEST(nothing_is_cut_from_a_whole_a_sealed_or_a_lost_manifest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
