/*
 * Goal: the command finds every difference, names it, and says so in its exit status; and its
 * numbers do not depend on how many jobs there were. Method: files in a temporary directory, the
 * command run in this process with its output caught, on the CPU, or on the device that the program
 * is given as its argument.
 */
#include "formats_fixture.h"
#include "store/base/crc32c.h"
#include "tools/common/console.h"
#include "tools/validate/comparison.h"
#include "tools/validate/manifest.h"
#include "tools/validate/validate.h"
#include "validate_command.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FLOAT_COUNT = 300000, BF16_COUNT = 200001 };

static void byte_flip(const char *name, uint64_t offset, uint8_t bits)
{
    int fd = open(in_directory(name), O_RDWR | O_CLOEXEC);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    assert_int_equal(close(fd), 0);
}

/* Two tensors that are aligned to nothing, 600 KB apart from the borders of blocks. */
static void model_write(const char *name)
{
    char header[512];
    struct bytes bytes = {0};

    (void)snprintf(header, sizeof(header),
                   "{\"first\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                   "\"second\":{\"dtype\":\"BF16\",\"shape\":[%d],\"data_offsets\":[%d,%d]}}",
                   FLOAT_COUNT, 4 * FLOAT_COUNT, BF16_COUNT, 4 * FLOAT_COUNT,
                   4 * FLOAT_COUNT + 2 * BF16_COUNT);
    safetensors_build(header, 4 * FLOAT_COUNT + 2 * BF16_COUNT, &bytes);
    file_write(name, bytes.data, bytes.size);
    bytes_free(&bytes);
}

static uint64_t size_of(const char *name)
{
    struct stat status;

    assert_int_equal(stat(in_directory(name), &status), 0);
    return (uint64_t)status.st_size;
}

static int set_up(void **state)
{
    (void)state;
    if (directory_make() < 0)
        return -1;
    model_write("data/model.safetensors");
    file_write("data/raw.bin", "abc", 3);
    file_write("data/empty", "", 0);
    assert_int_equal(
        command(in_directory("data"), "--write-manifest", in_directory("manifest"), NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove();
}

static void copy_make(void)
{
    model_write("copy/model.safetensors");
    file_write("copy/raw.bin", "abc", 3);
    file_write("copy/empty", "", 0);
}

static void unharmed_files_pass_against_manifest_and_copy(void **state)
{
    (void)state;
    copy_make();
    assert_int_equal(command(in_directory("data"), "--against", in_directory("manifest"), NULL), 0);
    assert_output_has("checked against manifest: ok");
    assert_int_equal(command(in_directory("data"), "--against", in_directory("copy"), NULL), 0);
    assert_output_has("checked against copy: ok");
    assert_output_has("0 problems");
}

static void a_flipped_bit_is_named_by_block_offset_and_tensor(void **state)
{
    const uint64_t size = size_of("data/model.safetensors");
    const uint64_t places[] = {size - 1, 700000, size - 2 * BF16_COUNT - 1};
    char wanted[64];

    (void)state;
    copy_make();
    for (size_t i = 0; i < TFS_ARRAY_COUNT(places); i++) {
        const uint64_t block = places[i] / 262144;

        byte_flip("data/model.safetensors", places[i], 0x01);
        assert_int_equal(command(in_directory("data"), "--against", in_directory("manifest"), NULL),
                         1);
        (void)snprintf(wanted, sizeof(wanted), "block %" PRIu64 " at offset %" PRIu64 ": checksum",
                       block, 262144 * block);
        assert_output_has(wanted);
        assert_output_has(i == 0 ? "'second'" : "'first'");
        assert_int_equal(command(in_directory("data"), "--against", in_directory("copy"), NULL), 1);
        (void)snprintf(wanted, sizeof(wanted), "first at offset %llu; tensor '%s'",
                       (unsigned long long)places[i], i == 0 ? "second" : "first");
        assert_output_has(wanted);
        byte_flip("data/model.safetensors", places[i], 0x01);
    }
}

static void a_damaged_header_is_reported_and_its_blocks_still_compared(void **state)
{
    (void)state;
    byte_flip("data/model.safetensors", 20, 0x80);
    byte_flip("data/model.safetensors", 9, 0x20); /* the first quote */
    assert_int_equal(command(in_directory("data"), "--against", in_directory("manifest"), NULL), 1);
    assert_output_has("malformed safetensors");
    assert_output_has("block 0 at offset 0: checksum");
}

static void a_nan_is_bad_only_when_it_was_said_to_be(void **state)
{
    const uint64_t size = size_of("data/model.safetensors");

    (void)state;
    byte_flip("data/model.safetensors", size - 1,
              0x7F ^ (uint8_t)((4 * FLOAT_COUNT + 2 * BF16_COUNT - 1) & 0x3F));
    byte_flip("data/model.safetensors", size - 2, 0x81);
    assert_int_equal(command(in_directory("data"), "--json", NULL), 0);
    assert_output_has("\"nan\":1");
    assert_int_equal(command(in_directory("data"), "--no-nan", NULL), 1);
    assert_output_has("1 NaN and 0 infinite of 200001 elements; tensor 'second'");
}

static void files_that_are_shorter_missing_or_unknown_are_bad(void **state)
{
    (void)state;
    assert_int_equal(truncate(in_directory("data/raw.bin"), 2), 0);
    assert_int_equal(unlink(in_directory("data/empty")), 0);
    file_write("data/more", "x", 1);
    assert_int_equal(command(in_directory("data"), "--against", in_directory("manifest"), NULL), 1);
    assert_output_has("has 2 bytes, in the manifest 3");
    assert_output_has("empty: in the manifest, but not found: BAD");
    assert_output_has("is not in the manifest");
    assert_output_has("3 problems");
}

static void a_counterpart_that_is_missing_or_of_another_size_is_bad(void **state)
{
    (void)state;
    copy_make();
    assert_int_equal(truncate(in_directory("copy/raw.bin"), 2), 0);
    assert_int_equal(unlink(in_directory("copy/empty")), 0);
    assert_int_equal(command(in_directory("data"), "--against", in_directory("copy"), NULL), 1);
    assert_output_has("has 3 bytes, its copy 2");
    assert_output_has("has no copy in");
    assert_output_has("2 problems");
}

/* From "files" on: what comes before it are times. */
static const char *results(void)
{
    const char *found = strstr(output, "\"files\":");

    assert_non_null(found);
    return found;
}

static void any_number_of_jobs_gives_the_same_numbers(void **state)
{
    static const char *const jobs[] = {"1", "2", "7", "32"};
    char *expected;

    (void)state;
    assert_int_equal(command(in_directory("data"), "--json", "--jobs", "1", NULL), 0);
    expected = strdup(results());
    assert_non_null(expected);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(jobs); i++) {
        assert_int_equal(command(in_directory("data"), "--json", "--jobs", jobs[i], NULL), 0);
        assert_string_equal(results(), expected);
    }
    free(expected);
}

/* Blocks of 256 bytes, so that leaves are cut into hundreds of parts. */
static void a_manifest_of_the_smallest_blocks_is_compared(void **state)
{
    const uint64_t size = size_of("data/model.safetensors");
    FILE *stream = fopen(in_directory("manifest2"), "we");
    uint8_t *data = malloc(size);
    int fd = open(in_directory("data/model.safetensors"), O_RDONLY | O_CLOEXEC);
    struct validate_blocks blocks;

    (void)state;
    assert_non_null(data);
    assert_int_equal(pread(fd, data, size, 0), size);
    assert_int_equal(close(fd), 0);
    assert_int_equal(validate_blocks_init(&blocks, size, 256), 0);
    for (uint64_t i = 0; i < blocks.count; i++)
        blocks.crcs[i] = tfs_crc32c(0, data + 256 * i, validate_block_bytes(&blocks, i));
    assert_int_equal(manifest_write_begin(stream), 0);
    assert_int_equal(manifest_write_file(stream, "model.safetensors", &blocks), 0);
    assert_int_equal(manifest_write_end(stream, 1), 0);
    assert_int_equal(fclose(stream), 0);
    validate_blocks_release(&blocks);
    free(data);
    assert_int_equal(command(in_directory("data/model.safetensors"), "--against",
                             in_directory("manifest2"), NULL),
                     0);
    byte_flip("data/model.safetensors", 256 * 1000 + 255, 0x10);
    assert_int_equal(command(in_directory("data/model.safetensors"), "--against",
                             in_directory("manifest2"), NULL),
                     1);
    assert_output_has("block 1000 at offset 256000");
    assert_output_has("1 problems");
}

/* What torch.save writes: `zip` is where the archive begins in it. */
static void archive_write(const char *name, struct bytes *zip)
{
    static uint8_t data[2 * BF16_COUNT];
    struct bytes pickle = {0};

    memset(data, 0x11, sizeof(data));
    pickle_build("w", "HalfStorage", BF16_COUNT, &pickle);
    zip_build((const struct zip_member[]){{"m/data.pkl", pickle.data, pickle.size},
                                          {"m/data/0", data, sizeof(data)},
                                          {"m/version", "3\n", 2}},
              3, zip);
    file_write(name, zip->data, zip->size);
    bytes_free(&pickle);
}

static uint64_t place_in(const struct bytes *bytes, const char *text)
{
    const uint8_t *found = memmem(bytes->data, bytes->size, text, strlen(text));

    assert_non_null(found);
    return (uint64_t)(found - bytes->data);
}

static void a_member_that_differs_from_its_archive_s_checksum_is_named(void **state)
{
    struct bytes zip = {0};
    uint64_t storage;
    char wanted[128];

    (void)state;
    archive_write("data/w.pt", &zip);
    assert_int_equal(command(in_directory("data/w.pt"), NULL), 0);
    storage = place_in(&zip, "m/data/0FB\1") + strlen("m/data/0") + 5;
    byte_flip("data/w.pt", storage + 300000, 0x40);
    byte_flip("data/w.pt", place_in(&zip, "Z3\n") + 1, 0x01);
    assert_int_equal(command(in_directory("data/w.pt"), NULL), 1);
    (void)snprintf(wanted, sizeof(wanted), "member 'm/data/0' at offset %" PRIu64 ": CRC-32 0x",
                   storage);
    assert_output_has(wanted);
    assert_output_has("; tensor 'm/data/0 (w)'");
    assert_output_has("member 'm/version' at offset ");
    assert_output_has("2 problems");
    assert_int_equal(command(in_directory("data/w.pt"), "--json", "--jobs=1", NULL), 1);
    assert_output_has("{\"kind\":\"member_differs\",\"block\":");
    bytes_free(&zip);
}

/* torch can be told not to compute them, and then writes zeros. */
static void a_member_without_a_checksum_is_not_compared(void **state)
{
    const uint64_t record = 22 + 46 + strlen("m/version");
    struct bytes zip = {0};

    (void)state;
    archive_write("data/w.pt", &zip);
    memset(zip.data + zip.size - record + 16, 0, 4);
    file_write("data/w.pt", zip.data, zip.size);
    byte_flip("data/w.pt", place_in(&zip, "Z3\n") + 1, 0x01);
    assert_int_equal(command(in_directory("data/w.pt"), NULL), 0);
    bytes_free(&zip);
}

static void members_of_every_archive_of_a_sequence_are_compared(void **state)
{
    struct bytes zip = {0};
    struct bytes both = {0};
    uint64_t second;

    (void)state;
    archive_write("data/w.distcp", &zip);
    second = zip.size;
    bytes_put(&both, zip.data, zip.size);
    bytes_fill(&both, 0, 100);
    bytes_put(&both, zip.data, zip.size);
    file_write("data/w.distcp", both.data, both.size);
    byte_flip("data/w.distcp", 60000, 0x01);
    byte_flip("data/w.distcp", second + 100 + 60000, 0x01);
    assert_int_equal(command(in_directory("data/w.distcp"), NULL), 1);
    assert_output_has("'0:m/data/0 (w)'");
    assert_output_has("2 problems");
    bytes_free(&both);
    bytes_free(&zip);
}

static void a_comparison_prints_medians_of_its_rounds(void **state)
{
    const char *samples;

    (void)state;
    assert_int_equal(command(in_directory("data"), "--compare-sequential", "--rounds=2", NULL), 0);
    assert_output_has("2 rounds: median [min .. max]");
    assert_output_has("one by one");
    assert_output_has("together, no checking");
    assert_output_has("speed-up");
    assert_int_equal(
        command(in_directory("data"), "--compare-sequential", "--rounds=3", "--json", NULL), 0);
    assert_output_has("\"items\":3");
    assert_output_has("\"rounds\":3");
    assert_output_has("\"check_overhead_percent\":{\"median\":");
    assert_output_has("\"share_of_memory\":");
    assert_output_has("\"speed_up\":{\"median\":");
    samples = strstr(output, "\"samples\":[");
    assert_non_null(samples);
    assert_non_null(strchr(samples, ']'));
    for (unsigned i = 0; i < 2; i++) {
        samples = strchr(samples + 1, ',');
        assert_non_null(samples);
        assert_true(samples < strchr(strstr(output, "\"samples\":["), ']'));
    }
}

static void a_fifo_is_no_regular_file_and_nobody_waits_for_it(void **state)
{
    (void)state;
    copy_make();
    assert_int_equal(unlink(in_directory("copy/raw.bin")), 0);
    assert_int_equal(mkfifo(in_directory("copy/raw.bin"), 0600), 0);
    assert_int_equal(command(in_directory("copy/raw.bin"), NULL), 1);
    assert_output_has("is no regular file");
    assert_int_equal(command(in_directory("data"), "--against", in_directory("copy"), NULL), 1);
    assert_output_has("has no copy in");
}

/* Through a link of ours, so that the device itself is not at stake. */
static void a_manifest_that_cannot_be_written_removes_only_a_file(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(symlink("/dev/full", in_directory("manifest2")), 0);
    assert_int_equal(
        command(in_directory("data"), "--write-manifest", in_directory("manifest2"), NULL), 2);
    assert_int_equal(lstat(in_directory("manifest2"), &status), 0);
}

static void a_spread_has_the_middle_and_both_ends(void **state)
{
    static const double values[] = {5, 1, 9, 3};
    struct validate_spread spread;

    (void)state;
    spread = validate_spread_of(values, 4);
    assert_true(spread.median == 4 && spread.min == 1 && spread.max == 9);
    spread = validate_spread_of(values, 3);
    assert_true(spread.median == 5 && spread.min == 1 && spread.max == 9);
    spread = validate_spread_of(values, 1);
    assert_true(spread.median == 5 && spread.min == 5 && spread.max == 5);
}

static void json_stays_json_whatever_a_name_holds(void **state)
{
    (void)state;
    file_write("data/more", "x", 1);
    assert_int_equal(rename(in_directory("data/more"), in_directory("data/\xff\xc3\xa9\"\n")), 0);
    assert_int_equal(command(in_directory("data"), "--json", NULL), 0);
    assert_output_has("/data/\\ufffd\xc3\xa9\\\"\\u000a\"");
    assert_int_equal(unlink(in_directory("data/\xff\xc3\xa9\"\n")), 0);
}

static void output_that_cannot_be_written_is_trouble(void **state)
{
    static char name[] = "validate";
    char *argv[] = {name, device_option, strdup(in_directory("data")), NULL};
    int saved = dup(STDOUT_FILENO);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int status;

    (void)state;
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(full, STDOUT_FILENO) >= 0);
    status = validate_main(3, argv);
    clearerr(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    (void)close(full);
    free(argv[2]);
    assert_int_equal(status, 2);
}

static void what_cannot_be_opened_is_bad_and_wrong_usage_is_trouble(void **state)
{
    (void)state;
    assert_int_equal(command(in_directory("nothing"), NULL), 1);
    assert_output_has("cannot be opened");
    assert_int_equal(command(NULL), 2);
    assert_int_equal(command(in_directory("data"), "--jobs", "0", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--jobs", "1x", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--device", "tpu", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--unknown", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--against", in_directory("nothing"), NULL), 2);
    assert_int_equal(command(in_directory("data"), "--against", in_directory("data/raw.bin"), NULL),
                     2);
    assert_int_equal(command("", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--against", "", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--write-manifest", "", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--rounds", "3", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--compare-sequential", "--rounds=0", NULL), 2);
    assert_int_equal(command(in_directory("data"), "--compare-sequential", "--rounds=100", NULL),
                     2);
    assert_int_equal(command("--help", NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(unharmed_files_pass_against_manifest_and_copy),
        TEST(a_flipped_bit_is_named_by_block_offset_and_tensor),
        TEST(a_damaged_header_is_reported_and_its_blocks_still_compared),
        TEST(a_nan_is_bad_only_when_it_was_said_to_be),
        TEST(files_that_are_shorter_missing_or_unknown_are_bad),
        TEST(a_counterpart_that_is_missing_or_of_another_size_is_bad),
        TEST(any_number_of_jobs_gives_the_same_numbers),
        TEST(a_manifest_of_the_smallest_blocks_is_compared),
        TEST(a_member_that_differs_from_its_archive_s_checksum_is_named),
        TEST(a_member_without_a_checksum_is_not_compared),
        TEST(members_of_every_archive_of_a_sequence_are_compared),
        TEST(a_comparison_prints_medians_of_its_rounds),
        TEST(a_fifo_is_no_regular_file_and_nobody_waits_for_it),
        TEST(a_manifest_that_cannot_be_written_removes_only_a_file),
        cmocka_unit_test(a_spread_has_the_middle_and_both_ends),
        TEST(json_stays_json_whatever_a_name_holds),
        TEST(output_that_cannot_be_written_is_trouble),
        TEST(what_cannot_be_opened_is_bad_and_wrong_usage_is_trouble),
    };

    console_init(false);
    if (argc > 1)
        (void)snprintf(device_option, sizeof(device_option), "--device=%s", argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
