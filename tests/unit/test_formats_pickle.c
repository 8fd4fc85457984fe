/*
 * Goal: of a pickle that torch wrote every storage is found, with the dtype and the name that are
 * its own and nobody else's; and no bytes are a program that does anything. Method: pickles written
 * out operation by operation, as torch and Python write them.
 */
#include "formats/torch_storages.h"
#include "formats_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int storages_find(const void *data, size_t size, struct torch_storage_list *ret)
{
    struct pickle pickle;
    int err = pickle_read(data, size, NULL, &pickle);

    memset(ret, 0, sizeof(*ret));
    if (err == 0)
        err = torch_storages_find(&pickle, ret);
    pickle_release(&pickle);
    return err;
}

/* A global is written out the first time, and got from the memo afterwards. */
struct writer {
    struct bytes bytes;
    const char *globals[16];
    unsigned global_count;
};

static void put(struct writer *writer, const char *text)
{
    bytes_put(&writer->bytes, text, strlen(text));
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, "X");
    bytes_put_number(&writer->bytes, strlen(text), 4);
    put(writer, text);
}

/* "module\nname\n" */
static void put_global(struct writer *writer, const char *global)
{
    for (unsigned i = 0; i < writer->global_count; i++) {
        if (strcmp(writer->globals[i], global) == 0) {
            put(writer, "h");
            bytes_put_number(&writer->bytes, i, 1);
            return;
        }
    }
    put(writer, "c");
    put(writer, global);
    put(writer, "q");
    bytes_put_number(&writer->bytes, writer->global_count, 1);
    writer->globals[writer->global_count++] = global;
}

static void put_storage(struct writer *writer, const char *type, const char *key, unsigned count)
{
    put(writer, "(");
    put_text(writer, "storage");
    put_global(writer, type);
    put_text(writer, key);
    put_text(writer, "cpu");
    put(writer, "M");
    bytes_put_number(&writer->bytes, count, 2);
    put(writer, "tQ");
}

#define UNTYPED "torch.storage\nUntypedStorage\n"

/* dtype is "torch\nname\n", or NULL for a type of storage that says it. */
static void put_tensor(struct writer *writer, const char *type, const char *key, const char *dtype)
{
    put_global(writer,
               dtype ? "torch._utils\n_rebuild_tensor_v3\n" : "torch._utils\n_rebuild_tensor_v2\n");
    put(writer, "(");
    put_storage(writer, type, key, 16);
    put(writer, "K");
    bytes_put_number(&writer->bytes, 0, 1);
    put(writer, "K\x04\x85K\x01\x85\x89");
    put(writer, "ccollections\nOrderedDict\n)R");
    if (dtype)
        put_global(writer, dtype);
    put(writer, "tR");
}

static void put_begin(struct writer *writer)
{
    memset(writer, 0, sizeof(*writer));
    put(writer, "\x80\x02}(");
}

static void find(struct writer *writer, struct torch_storage_list *ret)
{
    put(writer, "u.");
    assert_int_equal(storages_find(writer->bytes.data, writer->bytes.size, ret), 0);
}

static void assert_storage(const struct torch_storage *storage, const char *key, const char *label,
                           enum dtype dtype)
{
    char wanted[128];
    char found[128];

    (void)snprintf(wanted, sizeof(wanted), "%s '%s' %s", key, label, dtype_name(dtype));
    (void)snprintf(found, sizeof(found), "%.*s '%.*s' %s", (int)storage->key.size, storage->key.at,
                   (int)storage->label.size, storage->label.at, dtype_name(storage->dtype));
    assert_string_equal(found, wanted);
}

static void release(struct writer *writer, struct torch_storage_list *list)
{
    torch_storages_release(list);
    bytes_free(&writer->bytes);
}

static void every_tensor_of_a_new_dtype_has_it(void **state)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } rows[] = {
        {"torch\nfloat8_e4m3fn\n", DTYPE_F8_E4M3},
        {"torch\nfloat8_e5m2\n", DTYPE_F8_E5M2},
        {"torch\nuint16\n", DTYPE_U16},
        {"torch\nuint32\n", DTYPE_U32},
        {"torch\nuint64\n", DTYPE_U64},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct torch_storage_list list;
        struct writer writer;

        put_begin(&writer);
        put_text(&writer, "a");
        put_tensor(&writer, UNTYPED, "0", rows[i].name);
        put_text(&writer, "b");
        put_tensor(&writer, UNTYPED, "1", rows[i].name);
        put_text(&writer, "c");
        put_tensor(&writer, UNTYPED, "2", rows[i].name);
        find(&writer, &list);
        assert_int_equal(list.count, 3);
        assert_storage(&list.storages[0], "0", "a", rows[i].dtype);
        assert_storage(&list.storages[1], "1", "b", rows[i].dtype);
        assert_storage(&list.storages[2], "2", "c", rows[i].dtype);
        release(&writer, &list);
    }
}

static void a_dtype_that_is_a_value_says_nothing_of_a_storage(void **state)
{
    struct torch_storage_list list;
    struct writer writer;

    (void)state;
    put_begin(&writer);
    put_text(&writer, "scale");
    put_tensor(&writer, UNTYPED, "0", "torch\nfloat8_e8m0fnu\n");
    put_text(&writer, "dtype");
    put_global(&writer, "torch\nuint16\n");
    put_text(&writer, "weight");
    put_tensor(&writer, UNTYPED, "1", "torch\nfloat8_e5m2\n");
    put_text(&writer, "other");
    put_global(&writer, "torch\nfloat8_e4m3fn\n");
    put_text(&writer, "bytes");
    put_storage(&writer, UNTYPED, "2", 16);
    put_text(&writer, "last");
    put_global(&writer, "torch\nuint64\n");
    find(&writer, &list);
    assert_int_equal(list.count, 3);
    assert_storage(&list.storages[0], "0", "scale", DTYPE_F8_E8M0);
    assert_storage(&list.storages[1], "1", "weight", DTYPE_F8_E5M2);
    assert_storage(&list.storages[2], "2", "bytes", DTYPE_BYTES);
    release(&writer, &list);
}

static void tensors_that_differ_about_their_storage_make_it_bytes(void **state)
{
    struct torch_storage_list list;
    struct writer writer;

    (void)state;
    put_begin(&writer);
    put_text(&writer, "a");
    put_tensor(&writer, UNTYPED, "0", "torch\nfloat8_e4m3fn\n");
    put_text(&writer, "b");
    put_tensor(&writer, UNTYPED, "0", "torch\nuint32\n");
    put_text(&writer, "c");
    put_tensor(&writer, UNTYPED, "1", "torch\nuint32\n");
    put_text(&writer, "d");
    put_tensor(&writer, UNTYPED, "1", "torch\nuint32\n");
    find(&writer, &list);
    assert_int_equal(list.count, 4);
    assert_storage(&list.storages[0], "0", "a", DTYPE_BYTES);
    assert_storage(&list.storages[1], "0", "b", DTYPE_BYTES);
    assert_storage(&list.storages[2], "1", "c", DTYPE_U32);
    assert_storage(&list.storages[3], "1", "d", DTYPE_U32);
    release(&writer, &list);
}

static void a_storage_that_is_no_multiple_of_the_dtype_is_bytes(void **state)
{
    struct torch_storage_list list;
    struct writer writer;

    (void)state;
    put_begin(&writer);
    put_text(&writer, "a");
    put_global(&writer, "torch._utils\n_rebuild_tensor_v3\n");
    put(&writer, "(");
    put_storage(&writer, UNTYPED, "0", 15);
    put(&writer, "NNNNN");
    put_global(&writer, "torch\nuint16\n");
    put(&writer, "tR");
    find(&writer, &list);
    assert_storage(&list.storages[0], "0", "a", DTYPE_BYTES);
    release(&writer, &list);
}

static void names_are_those_of_the_dict_that_holds_the_tensor(void **state)
{
    struct torch_storage_list list;
    struct writer writer;

    (void)state;
    put_begin(&writer);
    put_text(&writer, "parameter");
    put(&writer, "ctorch._utils\n_rebuild_parameter\n(");
    put_tensor(&writer, "torch\nHalfStorage\n", "0", NULL);
    put(&writer, "\x88NtR");
    put_text(&writer, "subclass");
    put(&writer, "ctorch._tensor\n_rebuild_from_type_v2\n(");
    put_global(&writer, "torch._utils\n_rebuild_tensor_v3\n");
    put(&writer, "cmine\nTensor\n(");
    put_storage(&writer, UNTYPED, "1", 16);
    put(&writer, "NNNNN");
    put_global(&writer, "torch\nuint16\n");
    put(&writer, "t}tR");
    put_text(&writer, "list");
    put(&writer, "](");
    put_tensor(&writer, "torch\nFloatStorage\n", "2", NULL);
    put_tensor(&writer, "torch\nLongStorage\n", "3", NULL);
    put(&writer, "e");
    put_text(&writer, "model");
    put(&writer, "ccollections\nOrderedDict\n)R(");
    put_text(&writer, "weight");
    put_tensor(&writer, "torch\nBFloat16Storage\n", "4", NULL);
    put(&writer, "u");
    find(&writer, &list);
    assert_int_equal(list.count, 5);
    assert_storage(&list.storages[0], "0", "parameter", DTYPE_F16);
    assert_storage(&list.storages[1], "1", "subclass", DTYPE_U16);
    assert_storage(&list.storages[2], "2", "list", DTYPE_F32);
    assert_storage(&list.storages[3], "3", "list", DTYPE_I64);
    assert_storage(&list.storages[4], "4", "weight", DTYPE_BF16);
    release(&writer, &list);
}

static void values_are_found_by_their_keys(void **state)
{
    static const char bytes[] = "\x80\x02}(X\1\0\0\0aK\1X\1\0\0\0bcm\nC\n)\x81}X\1\0\0\0cK\2sbX\1\0"
                                "\0\0aK\3u.more";
    struct pickle pickle;
    uint32_t object;

    (void)state;
    assert_int_equal(pickle_read(bytes, sizeof(bytes) - 1, NULL, &pickle), 0);
    assert_int_equal(pickle.size, sizeof(bytes) - 1 - 4);
    assert_int_equal(pickle.nodes[pickle_lookup(&pickle, pickle.root, "a")].integer, 3);
    object = pickle_lookup(&pickle, pickle.root, "b");
    assert_int_equal(pickle.nodes[object].kind, PICKLE_CALL);
    assert_true(pickle_is_global(&pickle, pickle.nodes[object].call.callable, "m", "C"));
    assert_int_equal(pickle.nodes[pickle_lookup(&pickle, object, "c")].integer, 2);
    assert_int_equal(pickle_lookup(&pickle, object, "a"), 0);
    assert_int_equal(pickle_lookup(&pickle, 0, "a"), 0);
    assert_int_equal(pickle_item(&pickle, pickle.root, 6), 0);
    pickle_release(&pickle);
}

static void a_container_in_itself_is_read(void **state)
{
    struct torch_storage_list list;

    (void)state;
    assert_int_equal(storages_find("}q\0X\1\0\0\0ah\0s.", 14, &list), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(storages_find("]q\0h\0a.", 8, &list), 0);
    torch_storages_release(&list);
}

static void pickles_that_are_no_program_of_torch_s_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", 0},
        {"\x80\x02", 2},
        {"\xff.", 2},
        {"R.", 2},
        {"t.", 2},
        {"X\xff\xff\xff\xff.", 6},
        {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", 10},
        {"h\x05.", 3},
        {"q\x00.", 3},
        {"ctorch\nFloat", 12},
        {"K\x01K\x02\x93.", 6},
        {"u.", 2},
        {"(1(ee.", 6},
        {"Nr\xff\xff\xff\x7f.", 7},
        {"I12", 3},
        {"p5\n.", 4},
        {"Np99999999999999999999\n.", 24},
        {"(imodule\nclass", 14},
        {"\x93.", 2},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct torch_storage_list list;

        assert_int_equal(storages_find(rows[i].bytes, rows[i].size, &list), -EUCLEAN);
        assert_int_equal(list.count, 0);
    }
}

static void pickles_that_only_their_writer_understands_are_told_from_malformed_ones(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"NQ.", 3}, {"NNNNN(NNNNNtQ.", 14}, {"Pid\n.", 5}, {"\x82\x01.", 3}, {"\x97\x98.", 3},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct torch_storage_list list;

        assert_int_equal(storages_find(rows[i].bytes, rows[i].size, &list), -EOPNOTSUPP);
        assert_int_equal(list.count, 0);
    }
}

static void a_pickle_of_protocol_1_is_followed(void **state)
{
    static const char bytes[] = "}(X\1\0\0\0aI01\nX\1\0\0\0bF0.5\n(imodule\nclass\np0\n"
                                "(ctorch\nthing\nog0\n((X\7\0\0\0storagectorch\nHalfStorage\n"
                                "X\1\0\0\0"
                                "0X\3\0\0\0cpuL12L\ntQu.";
    struct torch_storage_list list;

    (void)state;
    assert_int_equal(storages_find(bytes, sizeof(bytes) - 1, &list), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.storages[0].dtype, DTYPE_F16);
    assert_int_equal(list.storages[0].element_count, 12);
    torch_storages_release(&list);
}

static void a_pickle_that_only_opens_tuples_meets_a_limit(void **state)
{
    struct bytes bytes = {0};
    struct torch_storage_list list;

    (void)state;
    bytes_fill(&bytes, '(', 3u << 20);
    assert_int_equal(storages_find(bytes.data, bytes.size, &list), -EOPNOTSUPP);
    bytes_free(&bytes);
}

/* No writer gives it, and the memo up to it would have 128 MB. */
static void a_memo_index_behind_all_bytes_is_malformed(void **state)
{
    static const char far[] = "\x80\x02}r\xff\xff\xff\x01.";
    static const char near[] = "\x80\x02}r\x08\x00\x00\x00.";
    struct pickle pickle;

    (void)state;
    assert_int_equal(pickle_read(far, sizeof(far) - 1, NULL, &pickle), -EUCLEAN);
    assert_int_equal(pickle_read(near, sizeof(near) - 1, NULL, &pickle), 0);
    pickle_release(&pickle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_memo_index_behind_all_bytes_is_malformed),
        cmocka_unit_test(every_tensor_of_a_new_dtype_has_it),
        cmocka_unit_test(a_dtype_that_is_a_value_says_nothing_of_a_storage),
        cmocka_unit_test(tensors_that_differ_about_their_storage_make_it_bytes),
        cmocka_unit_test(a_storage_that_is_no_multiple_of_the_dtype_is_bytes),
        cmocka_unit_test(names_are_those_of_the_dict_that_holds_the_tensor),
        cmocka_unit_test(values_are_found_by_their_keys),
        cmocka_unit_test(a_container_in_itself_is_read),
        cmocka_unit_test(pickles_that_are_no_program_of_torch_s_are_refused),
        cmocka_unit_test(pickles_that_only_their_writer_understands_are_told_from_malformed_ones),
        cmocka_unit_test(a_pickle_of_protocol_1_is_followed),
        cmocka_unit_test(a_pickle_that_only_opens_tuples_meets_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
