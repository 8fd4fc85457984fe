/*
 * Goal: checkpoint files are what their libraries would have written, come back bit by bit, and
 * damaged ones are refused. Method: a small model is saved in each format into a scratch directory,
 * looked at as bytes, loaded by read() and by mmap(), and loaded again after damage.
 */
#include "formats/zip_layout.h"
#include "tools/bench/formats/format.h"
#include "tools/bench/system/directory.h"
#include "tools/common/console.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static struct model *model;
static struct model *landing;

static int start(void **state)
{
    struct model_spec spec = {.parameters = 600000, .seed = 1};

    (void)state;
    console_init(true);
    if (directory_make_scratch("/tmp", scratch, sizeof(scratch)) < 0)
        return -1;
    if (model_parse_mix("train", &spec) < 0 || model_new(&spec, &model) < 0)
        return -1;
    return model_new_like(model, &landing);
}

static int stop(void **state)
{
    (void)state;
    model_free(model);
    model_free(landing);
    return directory_remove(scratch);
}

static const char *path_of(const char *name)
{
    static char path[PATH_MAX + 64];

    (void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
    return path;
}

/* The file's bytes, to be freed. */
static uint8_t *bytes_of(const char *path, uint64_t *ret_size)
{
    struct stat status;
    uint8_t *bytes;
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    bytes = malloc((size_t)status.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    (void)close(fd);
    *ret_size = (uint64_t)status.st_size;
    return bytes;
}

static void assert_comes_back(const struct format *format, const char *path)
{
    static const enum source_method methods[] = {SOURCE_READ, SOURCE_MMAP};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(methods); i++) {
        model_poison(landing);
        assert_int_equal(format->load(landing, path, methods[i]), 0);
        assert_int_equal(model_compare(model, landing), 0);
    }
}

static void every_format_brings_every_byte_back(void **state)
{
    (void)state;
    for (unsigned i = 0; format_by_index(i); i++) {
        const struct format *format = format_by_index(i);

        assert_int_equal(format->save(model, path_of(format->name), i % 2 == 0), 0);
        assert_comes_back(format, path_of(format->name));
    }
    assert_int_equal(format_files.save(model, path_of("files"), true), 0);
    assert_comes_back(&format_files, path_of("files"));
}

static void saving_again_replaces_what_was_there(void **state)
{
    (void)state;
    for (unsigned i = 0; format_by_index(i); i++) {
        const struct format *format = format_by_index(i);

        model_vary(model, i + 1);
        assert_int_equal(format->save(model, path_of(format->name), false), 0);
        assert_comes_back(format, path_of(format->name));
    }
    model_vary(model, 0);
}

static void safetensors_has_an_aligned_header_and_no_gaps(void **state)
{
    uint64_t size;
    uint64_t header;
    uint8_t *bytes;

    (void)state;
    assert_int_equal(format_safetensors.save(model, path_of("s"), false), 0);
    bytes = bytes_of(path_of("s"), &size);
    header = tfs_get_le64(bytes);
    assert_int_equal(header % 8, 0);
    assert_int_equal(bytes[8], '{');
    assert_int_equal(size, 8 + header + model->bytes);
    assert_memory_equal(bytes + 8 + header, model->tensors[0].data, model->tensors[0].bytes);
    assert_int_equal(access(path_of("s.tmp"), F_OK), -1);
    free(bytes);
}

/* The entry after `at`; its sizes stand behind the payload, so the payload's size is given. */
static const uint8_t *zip_entry_check(const uint8_t *bytes, const uint8_t *at, const void *payload,
                                      uint64_t payload_size)
{
    const uint8_t *data = at + ZIP_LOCAL_BYTES + tfs_get_le16(at + ZIP_LOCAL_NAME_SIZE) +
                          tfs_get_le16(at + ZIP_LOCAL_EXTRA_SIZE);
    const uint8_t *descriptor = data + payload_size;

    assert_int_equal(tfs_get_le32(at), ZIP_LOCAL_SIGNATURE);
    assert_int_equal(tfs_get_le16(at + 6), ZIP_FLAGS_TORCH);
    assert_int_equal((data - bytes) % 64, 0);
    assert_memory_equal(data, payload, payload_size);
    assert_int_equal(tfs_get_le32(descriptor), ZIP_DESCRIPTOR_SIGNATURE);
    assert_int_equal(tfs_get_le32(descriptor + 4), crc32(0, payload, (uInt)payload_size));
    assert_int_equal(tfs_get_le32(descriptor + 8), payload_size);
    return descriptor + 16;
}

static void torch_archive_is_stored_aligned_and_checksummed(void **state)
{
    uint64_t size;
    uint8_t *bytes;
    const uint8_t *at;
    const uint8_t *pickle;
    uint64_t pickle_size = 0;

    (void)state;
    assert_int_equal(format_torch.save(model, path_of("t.pt"), false), 0);
    bytes = bytes_of(path_of("t.pt"), &size);
    assert_memory_equal(bytes + ZIP_LOCAL_BYTES, "t/data.pkl", 10);
    pickle = bytes + ZIP_LOCAL_BYTES + 10 + tfs_get_le16(bytes + ZIP_LOCAL_EXTRA_SIZE);
    assert_memory_equal(pickle, "\x80\x02}(", 4);
    while (tfs_get_le32(pickle + pickle_size) != ZIP_DESCRIPTOR_SIGNATURE)
        pickle_size++;
    assert_int_equal(pickle[pickle_size - 1], '.');
    at = zip_entry_check(bytes, bytes, pickle, pickle_size);
    at = zip_entry_check(bytes, at, "1", 1);
    at = zip_entry_check(bytes, at, "64", 2);
    at = zip_entry_check(bytes, at, "little", 6);
    for (size_t i = 0; i < model->count; i++)
        at = zip_entry_check(bytes, at, model->tensors[i].data, model->tensors[i].bytes);
    at = zip_entry_check(bytes, at, "3\n", 2);
    assert_int_equal(tfs_get_le32(bytes + size - ZIP_END_BYTES), ZIP_END_SIGNATURE);
    free(bytes);
}

static void npy_has_a_header_of_whole_64_bytes_with_the_shape(void **state)
{
    const struct tensor *tensor = &model->tensors[0];
    char path[PATH_MAX * 2];
    char expected[64];
    uint64_t size;
    uint64_t header;
    uint8_t *bytes;

    (void)state;
    assert_int_equal(format_npy.save(model, path_of("n"), false), 0);
    (void)snprintf(path, sizeof(path), "%s/%s.npy", path_of("n"), tensor->name);
    bytes = bytes_of(path, &size);
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00", 8);
    header = 10 + tfs_get_le16(bytes + 8);
    assert_int_equal(header % 64, 0);
    assert_int_equal(bytes[header - 1], '\n');
    bytes[header - 1] = '\0';
    (void)snprintf(expected, sizeof(expected), "'shape': (%llu, %llu), }",
                   (unsigned long long)tensor->shape[0], (unsigned long long)tensor->shape[1]);
    assert_non_null(strstr((char *)bytes + 10, "'descr': '<f4'"));
    assert_non_null(strstr((char *)bytes + 10, expected));
    assert_int_equal(size, header + tensor->bytes);
    free(bytes);
}

static void truncated_files_are_refused(void **state)
{
    static const struct format *const formats[] = {&format_safetensors, &format_torch, &format_raw};
    static const enum source_method methods[] = {SOURCE_READ, SOURCE_MMAP};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(formats); i++) {
        static const uint64_t kept[] = {0, 7, 100, 65536};

        for (size_t j = 0; j < TFS_ARRAY_COUNT(kept) * 2; j++) {
            assert_int_equal(formats[i]->save(model, path_of("cut"), false), 0);
            assert_int_equal(truncate(path_of("cut"), (off_t)kept[j / 2]), 0);
            assert_int_equal(formats[i]->load(landing, path_of("cut"), methods[j % 2]), -EUCLEAN);
        }
    }
}

/* Every byte of the headers is set to a few values in turn: loading may fail or not, but never read
 * elsewhere. */
static void damaged_headers_never_reach_outside(void **state)
{
    static const struct format *const formats[] = {&format_safetensors, &format_torch};
    static const uint8_t values[] = {0x00, 0xff, 0x7f, '9'};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(formats); i++) {
        uint64_t size;
        uint8_t *bytes;

        assert_int_equal(formats[i]->save(model, path_of("bad"), false), 0);
        bytes = bytes_of(path_of("bad"), &size);
        for (uint64_t k = 0; k < 400; k++) {
            off_t at = (off_t)(formats[i] == &format_torch ? size - 1 - k : k);
            int fd = open(path_of("bad"), O_WRONLY);
            int err;

            assert_int_equal(pwrite(fd, &values[k % 4], 1, at), 1);
            err = formats[i]->load(landing, path_of("bad"), SOURCE_MMAP);
            assert_true(err == 0 || err == -EUCLEAN || err == -ENOMEM);
            assert_int_equal(pwrite(fd, bytes + at, 1, at), 1);
            (void)close(fd);
        }
        free(bytes);
        assert_comes_back(formats[i], path_of("bad"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_brings_every_byte_back),
        cmocka_unit_test(saving_again_replaces_what_was_there),
        cmocka_unit_test(safetensors_has_an_aligned_header_and_no_gaps),
        cmocka_unit_test(torch_archive_is_stored_aligned_and_checksummed),
        cmocka_unit_test(npy_has_a_header_of_whole_64_bytes_with_the_shape),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(damaged_headers_never_reach_outside),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
