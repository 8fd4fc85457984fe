/*
 * Goal: of a file that is a sequence of archives, as torch.distributed.checkpoint writes it, every
 * archive is read where it lies; what belongs to none is bytes; what cannot be told is no fault of
 * the file, and what is damaged is named. Method: archives built in memory and put together.
 */
#include "formats/zip_end.h"
#include "formats_fixture.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { ELEMENT_COUNT = 10, STORAGE_BYTES = 2 * ELEMENT_COUNT };

/* What torch.save writes of one tensor of fp16, its bytes all `value`. */
static void archive_build(uint8_t value, const char *byteorder, struct bytes *ret)
{
    struct bytes pickle = {0};
    struct bytes data = {0};

    pickle_build("", "HalfStorage", ELEMENT_COUNT, &pickle);
    bytes_fill(&data, value, STORAGE_BYTES);
    zip_build((const struct zip_member[]){{"archive/data.pkl", pickle.data, pickle.size},
                                          {"archive/.format_version", "1", 1},
                                          {"archive/.storage_alignment", "64", 2},
                                          {"archive/byteorder", byteorder, strlen(byteorder)},
                                          {"archive/data/0", data.data, data.size},
                                          {"archive/version", "3\n", 2}},
              6, ret);
    bytes_free(&pickle);
    bytes_free(&data);
}

enum archive_kind { PLAIN, ZIP64, ZIP64_NEEDED };

static void archive_append(struct bytes *bytes, uint8_t value, enum archive_kind kind)
{
    struct bytes archive = {0};

    archive_build(value, "little", &archive);
    if (kind != PLAIN)
        zip64_end_add(&archive, kind == ZIP64_NEEDED);
    bytes_put(bytes, archive.data, archive.size);
    bytes_free(&archive);
}

/* Every tensor is one of archive_append's, `values` in the order of the file. */
static void assert_tensors(struct bytes *bytes, const char *values)
{
    struct tensor_list list;

    assert_int_equal(parse(bytes, &list), 0);
    assert_string_equal(list.format, "torch");
    assert_int_equal(list.count, strlen(values));
    for (size_t i = 0; i < list.count; i++) {
        const struct tensor_place *tensor = &list.tensors[i];

        assert_int_equal(tensor->dtype, DTYPE_F16);
        assert_int_equal(tensor->size, STORAGE_BYTES);
        assert_int_equal(bytes->data[tensor->offset - 1], 'Z');
        for (size_t b = 0; b < STORAGE_BYTES; b++)
            assert_int_equal(bytes->data[tensor->offset + b], values[i]);
    }
    tensor_list_release(&list);
    bytes_free(bytes);
}

static void assert_malformed(struct bytes *bytes, const char *reason)
{
    struct tensor_list list;

    assert_int_equal(parse(bytes, &list), -EUCLEAN);
    assert_int_equal(list.count, 0);
    if (!strstr(list.reason, reason))
        fail_msg("'%s' is not in '%s'", reason, list.reason);
    tensor_list_release(&list);
    bytes_free(bytes);
}

static void each_archive_of_a_sequence_is_read(void **state)
{
    static const enum archive_kind kinds[] = {PLAIN, ZIP64, ZIP64_NEEDED};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(kinds); i++) {
        struct bytes bytes = {0};

        archive_append(&bytes, 'a', kinds[i]);
        archive_append(&bytes, 'b', kinds[(i + 1) % 3]);
        archive_append(&bytes, 'c', kinds[(i + 2) % 3]);
        assert_tensors(&bytes, "abc");
        archive_append(&bytes, 'd', kinds[i]);
        assert_tensors(&bytes, "d");
    }
}

static void tensors_of_a_sequence_are_named_by_their_archive_s_place(void **state)
{
    struct bytes bytes = {0};
    struct tensor_list list;
    char name[64];
    size_t second;

    (void)state;
    archive_append(&bytes, 'a', ZIP64);
    second = bytes.size;
    archive_append(&bytes, 'b', ZIP64);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.tensors[0].name, "0:archive/data/0");
    (void)snprintf(name, sizeof(name), "%zu:archive/data/0", second);
    assert_string_equal(list.tensors[1].name, name);
    tensor_list_release(&list);
    bytes_free(&bytes);
}

static void bytes_between_and_behind_archives_are_nobody_s(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    archive_append(&bytes, 'a', ZIP64);
    bytes_fill(&bytes, 'x', 5000); /* more than the first window */
    archive_append(&bytes, 'b', ZIP64);
    bytes_fill(&bytes, 'y', 3);
    assert_tensors(&bytes, "ab");
}

static void what_looks_like_an_end_is_none_when_no_archive_fits_it(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    archive_append(&bytes, 'a', PLAIN);
    for (unsigned i = 0; i < 100; i++) {
        bytes_put(&bytes, "PK\5\6\0\0\0\0\1\0\1\0", 12);
        bytes_put_number(&bytes, 3 * i, 4);
        bytes_put_number(&bytes, 5, 4); /* no directory is there */
        bytes_put_number(&bytes, 0, 2);
    }
    assert_tensors(&bytes, "a");
}

static void a_search_among_false_ends_has_a_limit(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    archive_append(&bytes, 'a', PLAIN);
    for (unsigned i = 0; i <= ZIP_END_REFUSED_MAX; i++)
        bytes_put(&bytes, "PK\5\6\0\0\0\0\1\0\1\0\377\377\0\0\0\0\0\0\0\0", 22);
    assert_malformed(&bytes, "has no end");
}

static void a_sequence_cut_off_anywhere_in_its_last_archive_is_refused(void **state)
{
    struct bytes whole = {0};
    size_t second;

    (void)state;
    archive_append(&whole, 'a', ZIP64);
    second = whole.size;
    archive_append(&whole, 'b', ZIP64);
    for (size_t size = second + 4; size < whole.size; size++) {
        struct bytes bytes = {0};

        bytes_put(&bytes, whole.data, size);
        assert_malformed(&bytes, "has no end");
    }
    bytes_free(&whole);
}

static void a_damaged_end_in_a_sequence_is_found_and_named(void **state)
{
    struct bytes bytes = {0};
    size_t ends[3];
    char reason[64];

    (void)state;
    for (size_t damaged = 0; damaged < 3; damaged++) {
        for (size_t i = 0; i < 3; i++) {
            archive_append(&bytes, 'a', ZIP64);
            ends[i] = bytes.size;
        }
        bytes.data[ends[damaged] - 22] ^= 0x20;
        (void)snprintf(reason, sizeof(reason), "the archive at %zu has no end",
                       damaged ? ends[damaged - 1] : 0);
        assert_malformed(&bytes, reason);
    }
}

static void a_damaged_directory_in_a_sequence_is_named_by_its_archive(void **state)
{
    struct bytes bytes = {0};
    size_t second;
    char reason[64];

    (void)state;
    archive_append(&bytes, 'a', PLAIN);
    second = bytes.size;
    archive_append(&bytes, 'b', PLAIN);
    bytes.data[bytes.size - 22 - 46 - strlen("archive/version")] ^= 0x20; /* the last entry */
    (void)snprintf(reason, sizeof(reason), "the archive at %zu: bad directory entry", second);
    assert_malformed(&bytes, reason);
}

/* A pickle's storages are bytes when it cannot be told what they are, and nothing is malformed. */
static void assert_bytes_only(struct bytes *bytes, size_t tensor_count)
{
    struct tensor_list list;

    assert_int_equal(parse(bytes, &list), 0);
    assert_string_equal(list.format, "torch");
    assert_int_equal(list.count, tensor_count);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.tensors[i].dtype, DTYPE_BYTES);
    tensor_list_release(&list);
    bytes_free(bytes);
}

static void storages_of_the_other_byte_order_are_bytes(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    archive_build('a', "big", &bytes);
    assert_bytes_only(&bytes, 1);
}

static void a_pickle_that_cannot_be_followed_leaves_bytes(void **state)
{
    static const struct zip_member members[] = {{"m/data.pkl", "\x80\x02NQ.", 5},
                                                {"m/data/0", "0123", 4}};
    struct bytes bytes = {0};

    (void)state;
    zip_build(members, 2, &bytes);
    assert_bytes_only(&bytes, 0);
}

/* An archive of one member, deflated. */
static void deflated_build(const char *name, const char *text, size_t repetitions,
                           struct bytes *ret)
{
    const size_t record = 22 + 46 + strlen(name);
    struct bytes raw = {0};
    struct bytes packed = {0};
    z_stream stream = {.next_in = NULL};

    for (size_t i = 0; i < repetitions; i++)
        bytes_put(&raw, text, strlen(text));
    bytes_fill(&packed, 0, raw.size + 1000);
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = raw.data;
    stream.avail_in = (uInt)raw.size;
    stream.next_out = packed.data;
    stream.avail_out = (uInt)packed.size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    zip_build(&(struct zip_member){name, packed.data, stream.total_out}, 1, ret);
    assert_int_equal(deflateEnd(&stream), Z_OK);
    ret->data[ret->size - record + 10] = 8; /* the method */
    tfs_put_le32(ret->data + ret->size - record + 16, (uint32_t)crc32(0, raw.data, (uInt)raw.size));
    tfs_put_le32(ret->data + ret->size - record + 24, (uint32_t)raw.size);
    bytes_free(&raw);
    bytes_free(&packed);
}

static void a_compressed_pickle_leaves_bytes(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    deflated_build("m/data.pkl", "text", 300000, &bytes);
    assert_bytes_only(&bytes, 0);
}

static void a_compressed_member_that_is_damaged_is_named(void **state)
{
    static const struct {
        size_t at; /* in the directory's record; 0: in the data */
        const char *reason;
    } rows[] = {
        {0, "member 'a.npy' is damaged: it cannot be inflated"},
        {16, "it inflates to another CRC-32 than the archive has"},
        {24, "it inflates to another size than the archive says"},
        {26, "it inflates to another size than the archive says"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        const size_t record = 22 + 46 + strlen("a.npy");
        struct bytes bytes = {0};

        deflated_build("a.npy", "0123456789", 50000, &bytes);
        if (rows[i].at > 0)
            bytes.data[bytes.size - record + rows[i].at] ^= 0x10;
        else
            bytes.data[30 + strlen("a.npy") + 5] = 0x07; /* a block of a kind that there is not */
        assert_malformed(&bytes, rows[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_archive_of_a_sequence_is_read),
        cmocka_unit_test(tensors_of_a_sequence_are_named_by_their_archive_s_place),
        cmocka_unit_test(bytes_between_and_behind_archives_are_nobody_s),
        cmocka_unit_test(what_looks_like_an_end_is_none_when_no_archive_fits_it),
        cmocka_unit_test(a_search_among_false_ends_has_a_limit),
        cmocka_unit_test(a_sequence_cut_off_anywhere_in_its_last_archive_is_refused),
        cmocka_unit_test(a_damaged_end_in_a_sequence_is_found_and_named),
        cmocka_unit_test(a_damaged_directory_in_a_sequence_is_named_by_its_archive),
        cmocka_unit_test(storages_of_the_other_byte_order_are_bytes),
        cmocka_unit_test(a_pickle_that_cannot_be_followed_leaves_bytes),
        cmocka_unit_test(a_compressed_pickle_leaves_bytes),
        cmocka_unit_test(a_compressed_member_that_is_damaged_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
