/*
 * Goal: a checkpoint is complete, or the command says what is missing: files that an index names,
 * tensors that are not in them, pieces that a distributed checkpoint lost, files of a numbered set.
 * Method: such checkpoints in a temporary directory, each lacking something.
 */
#include "formats/dcp_metadata.h"
#include "formats/shard_index.h"
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

static int set_up(void **state)
{
    (void)state;
    return directory_make();
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove();
}

/* A safetensors file of one tensor. */
static void shard_write(const char *path, const char *tensor)
{
    char header[256];
    struct bytes bytes = {0};

    (void)snprintf(header, sizeof(header),
                   "{\"%s\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", tensor);
    safetensors_build(header, 2, &bytes);
    file_write(path, bytes.data, bytes.size);
    bytes_free(&bytes);
}

static void text_write(const char *path, const char *text)
{
    file_write(path, text, strlen(text));
}

static int validate(const char *name)
{
    return command(in_directory(name), NULL);
}

/* ---- sharded models ---- */

static const char index_text[] =
    "{\"metadata\": {\"total_size\": 4}, \"weight_map\": {\"a\": \"m-00001-of-00002.safetensors\","
    " \"b\": \"m-00002-of-00002.safetensors\"}}\n";

static void model_write(const char *folder)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/m-00001-of-00002.safetensors", folder);
    shard_write(path, "a");
    (void)snprintf(path, sizeof(path), "%s/m-00002-of-00002.safetensors", folder);
    shard_write(path, "b");
    (void)snprintf(path, sizeof(path), "%s/m.safetensors.index.json", folder);
    text_write(path, index_text);
}

static void a_sharded_model_that_is_complete_is_ok(void **state)
{
    (void)state;
    model_write("m");
    assert_int_equal(validate("m"), 0);
    assert_output_has("index.json: index, ");
    assert_int_equal(validate("m/m.safetensors.index.json"), 0);
}

static void a_shard_that_is_missing_is_named_once(void **state)
{
    (void)state;
    model_write("m");
    assert_int_equal(unlink(in_directory("m/m-00002-of-00002.safetensors")), 0);
    assert_int_equal(validate("m"), 1);
    assert_output_has("'m-00002-of-00002.safetensors' with 1 tensors, the first 'b', is missing");
    assert_output_has("1 problems");
    assert_int_equal(command(in_directory("m"), "--json", NULL), 1);
    assert_output_has("{\"kind\":\"missing\",\"text\":\"'m-00002-of-00002.safetensors' with");
    assert_int_equal(validate("m/m.safetensors.index.json"), 1);
}

static void a_tensor_that_is_not_in_its_shard_is_named(void **state)
{
    (void)state;
    model_write("m");
    shard_write("m/m-00002-of-00002.safetensors", "c");
    assert_int_equal(validate("m"), 1);
    assert_output_has("1 of 1 tensors are not in 'm-00002-of-00002.safetensors', the first 'b'");
}

/* torch.save of a dict of one tensor, or of two names for it. */
static void torch_shard_write(const char *path, const char *tensor, const char *tied)
{
    struct bytes pickle = {0};
    struct bytes bytes = {0};
    struct zip_member members[2];

    pickle_build(tensor, "ByteStorage", 2, &pickle);
    if (tied) {
        pickle.size -= 2; /* SETITEM and STOP */
        bytes_put(&pickle, "q\x01sX", 4);
        bytes_put_number(&pickle, strlen(tied), 4);
        bytes_put(&pickle, tied, strlen(tied));
        bytes_put(&pickle, "h\x01s.", 4);
    }
    members[0] = (struct zip_member){"m/data.pkl", pickle.data, pickle.size};
    members[1] = (struct zip_member){"m/data/0", "\1\2", 2};
    zip_build(members, 2, &bytes);
    file_write(path, bytes.data, bytes.size);
    bytes_free(&pickle);
    bytes_free(&bytes);
}

static void names_in_shards_of_torch_are_compared_too(void **state)
{
    static const char *const first = "t/pytorch_model-00001-of-00002.bin";
    static const char *const second = "t/pytorch_model-00002-of-00002.bin";

    (void)state;
    text_write("t/pytorch_model.bin.index.json",
               "{\"weight_map\": {\"a\": \"pytorch_model-00001-of-00002.bin\", "
               "\"tied\": \"pytorch_model-00001-of-00002.bin\", "
               "\"b\": \"pytorch_model-00002-of-00002.bin\"}}");
    torch_shard_write(first, "a", "tied");
    torch_shard_write(second, "b", NULL);
    assert_int_equal(validate("t"), 0);
    torch_shard_write(first, "a", NULL);
    assert_int_equal(validate("t"), 1);
    assert_output_has(
        "1 of 2 tensors are not in 'pytorch_model-00001-of-00002.bin', the first 'tied'");
    torch_shard_write(first, "a", "tied");
    torch_shard_write(second, "B", NULL);
    assert_int_equal(validate("t"), 1);
    assert_output_has(
        "1 of 1 tensors are not in 'pytorch_model-00002-of-00002.bin', the first 'b'");
}

/* A bare pickle, or an archive of a list: what has no names cannot lack one. */
static void shards_whose_names_cannot_be_told_are_not_accused(void **state)
{
    static const char list[] = "\x80\x02].";
    const struct zip_member members[] = {{"m/data.pkl", list, sizeof(list) - 1}};
    struct bytes bytes = {0};

    (void)state;
    zip_build(members, 1, &bytes);
    file_write("u/b.bin", bytes.data, bytes.size);
    bytes_free(&bytes);
    file_write("u/a.bin", list, sizeof(list) - 1);
    text_write("u/x.bin.index.json", "{\"weight_map\": {\"a\": \"a.bin\", \"b\": \"b.bin\"}}");
    assert_int_equal(validate("u"), 0);
}

static void a_cache_of_links_is_complete_by_its_links(void **state)
{
    (void)state;
    model_write("c/blobs");
    assert_int_equal(
        rename(in_directory("c/blobs/m-00001-of-00002.safetensors"), in_directory("c/blobs/1")), 0);
    assert_int_equal(
        rename(in_directory("c/blobs/m-00002-of-00002.safetensors"), in_directory("c/blobs/2")), 0);
    assert_int_equal(
        rename(in_directory("c/blobs/m.safetensors.index.json"), in_directory("c/blobs/3")), 0);
    for (int i = 0; i < 2; i++) {
        const char *folder = i == 0 ? "c/s/old" : "c/s/new";
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/config.json", folder);
        text_write(path, "{}");
        (void)snprintf(path, sizeof(path), "%s/m-00001-of-00002.safetensors", folder);
        assert_int_equal(symlink("../../blobs/1", in_directory(path)), 0);
        (void)snprintf(path, sizeof(path), "%s/m-00002-of-00002.safetensors", folder);
        assert_int_equal(symlink("../../blobs/2", in_directory(path)), 0);
        (void)snprintf(path, sizeof(path), "%s/m.safetensors.index.json", folder);
        assert_int_equal(symlink("../../blobs/3", in_directory(path)), 0);
    }
    assert_int_equal(validate("c"), 0);
    assert_int_equal(unlink(in_directory("c/s/old/m-00002-of-00002.safetensors")), 0);
    assert_int_equal(validate("c/s/new"), 0);
    assert_int_equal(validate("c"), 1);
    assert_output_has("s/old/m.safetensors.index.json: index, ");
    assert_output_has("1 problems");
}

static void an_index_that_is_none_is_malformed(void **state)
{
    static const char *const texts[][2] = {
        {"", "no object"},
        {"[]", "no object"},
        {"{}", "no weight_map"},
        {"{\"weight_map\": []}", "weight_map is no object"},
        {"{\"weight_map\": {\"a\": 1}}", "no string"},
        {"{\"weight_map\": {\"a\": \"b\"", "weight_map has no end"},
        {"{\"weight_map\": {\"a\": \"b\"}", "no end"},
        {"{\"weight_map\": {}} x", "something behind the end"},
        {"{\"weight_map\": {}, \"weight_map\": {}}", "weight_map twice"},
        {"{\"weight_map\": {\"a\" \"b\"}}", "no ':'"},
        {"{\"weight_map\": {\"a\": \"b\\u0000\"}}", "a zero in a name"},
        {"{\"metadata\": {]}", "a value that is none"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        char wanted[128];

        text_write("m.safetensors.index.json", texts[i][0]);
        assert_int_equal(validate("m.safetensors.index.json"), 1);
        (void)snprintf(wanted, sizeof(wanted), "malformed index: %s", texts[i][1]);
        assert_output_has(wanted);
    }
}

static void an_index_leads_to_no_other_folder(void **state)
{
    static const char *const names[] = {"/etc/passwd", "../m.safetensors", "a/../../m.safetensors",
                                        "..", ""};

    (void)state;
    shard_write("m.safetensors", "a");
    shard_write("m/sub/s.safetensors", "a");
    text_write("m/i.index.json", "{\"weight_map\": {\"a\": \"sub/s.safetensors\"}}");
    assert_int_equal(validate("m/i.index.json"), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"weight_map\": {\"a\": \"%s\"}}", names[i]);
        text_write("m/i.index.json", text);
        assert_int_equal(validate("m/i.index.json"), 1);
        assert_output_has("cannot be opened: ");
    }
}

static void numbered_files_without_an_index_are_counted(void **state)
{
    (void)state;
    shard_write("m/x-00002-of-00004.safetensors", "a");
    shard_write("m/x-00003-of-00004.safetensors", "b");
    assert_int_equal(validate("m"), 1);
    assert_output_has("2 of 4 files of this name are missing, the first number 00001");
    assert_output_has("1 problems");
    assert_int_equal(validate("m/x-00002-of-00004.safetensors"), 0);
    shard_write("m/x-00001-of-00004.safetensors", "a");
    shard_write("m/x-00004-of-00004.safetensors", "b");
    assert_int_equal(validate("m"), 0);
    shard_write("z/x-00000-of-00002.safetensors", "a");
    shard_write("z/x-00001-of-00002.safetensors", "b");
    shard_write("z/one-of-00002.safetensors", "b");
    shard_write("z/y-00001-of-2.safetensors", "b");
    assert_int_equal(validate("z"), 0);
    assert_int_equal(unlink(in_directory("z/x-00001-of-00002.safetensors")), 0);
    assert_int_equal(validate("z"), 1);
    assert_output_has("1 of 2 files of this name are missing, the first number 00001");
}

/* ---- distributed checkpoints ---- */

struct piece {
    const char *tensor;
    const char *file;
    uint32_t offset;
    uint32_t size;
};

static void put(struct bytes *bytes, const char *text)
{
    bytes_put(bytes, text, strlen(text));
}

static void put_text(struct bytes *bytes, const char *text)
{
    put(bytes, "X");
    bytes_put_number(bytes, strlen(text), 4);
    put(bytes, text);
}

static void put_number(struct bytes *bytes, uint32_t number)
{
    put(bytes, "J");
    bytes_put_number(bytes, number, 4);
}

/* "a" was cut into two chunks, "b" is no tensor. */
static void put_objects(struct bytes *bytes)
{
    put_text(bytes, "state_dict_metadata");
    put(bytes, "}(");
    put_text(bytes, "a");
    put(bytes, "cm\nTensorStorageMetadata\n)\x81}");
    put_text(bytes, "chunks");
    put(bytes, "](NNesb");
    put_text(bytes, "b");
    put(bytes, "cm\nBytesStorageMetadata\n)\x81u");
}

static void metadata_build(const struct piece *pieces, size_t count, struct bytes *ret)
{
    put(ret, "\x80\x02"
             "cm\nMetadata\n)\x81}(");
    put_objects(ret);
    put_text(ret, "storage_data");
    put(ret, "}(");
    for (size_t i = 0; i < count; i++) {
        put(ret, "cm\nMetadataIndex\n)\x81}");
        put_text(ret, "fqn");
        put_text(ret, pieces[i].tensor);
        put(ret, "sbcm\n_StorageInfo\n)\x81}(");
        put_text(ret, "relative_path");
        put_text(ret, pieces[i].file);
        put_text(ret, "offset");
        put_number(ret, pieces[i].offset);
        put_text(ret, "length");
        put_number(ret, pieces[i].size);
        put(ret, "ub");
    }
    put(ret, "uub.");
}

static const struct piece whole[] = {
    {"a", "__0_0.distcp", 0, 300}, {"a", "__1_0.distcp", 0, 300}, {"b", "__0_0.distcp", 300, 100}};

static void distributed_write(size_t piece_count)
{
    struct bytes bytes = {0};

    metadata_build(whole, piece_count, &bytes);
    file_write("d/.metadata", bytes.data, bytes.size);
    bytes.size = 0;
    bytes_fill(&bytes, 1, 400);
    file_write("d/__0_0.distcp", bytes.data, 400);
    file_write("d/__1_0.distcp", bytes.data, 300);
    file_write("d/__2_0.distcp", "", 0); /* a rank that had nothing to save */
    bytes_free(&bytes);
}

static void a_distributed_checkpoint_that_is_complete_is_ok(void **state)
{
    (void)state;
    distributed_write(3);
    assert_int_equal(validate("d"), 0);
    assert_output_has(".metadata: metadata, ");
}

static void a_rank_s_file_that_is_cut_or_missing_is_named(void **state)
{
    (void)state;
    distributed_write(3);
    assert_int_equal(truncate(in_directory("d/__0_0.distcp"), 399), 0);
    assert_int_equal(validate("d"), 1);
    assert_output_has("'__0_0.distcp' is cut off: it has 399 bytes, and 1 of 2 pieces end behind "
                      "that, the first of 'b' at 400");
    assert_output_has("1 problems");
    assert_int_equal(truncate(in_directory("d/__0_0.distcp"), 200), 0);
    assert_int_equal(validate("d"), 1);
    assert_output_has("2 of 2 pieces end behind that, the first of 'a' at 300");
    assert_int_equal(unlink(in_directory("d/__1_0.distcp")), 0);
    assert_int_equal(validate("d/.metadata"), 1);
    assert_output_has("'__1_0.distcp' with 1 pieces, the first of 'a', is missing");
    assert_output_has("2 problems");
}

static void a_piece_without_a_place_is_named(void **state)
{
    (void)state;
    distributed_write(1);
    assert_int_equal(validate("d"), 1);
    assert_output_has("1 of 2 pieces of 'a' were saved nowhere");
    assert_output_has("1 of 1 pieces of 'b' were saved nowhere");
    assert_output_has("2 problems");
}

static void a_save_that_did_not_end_has_no_metadata(void **state)
{
    (void)state;
    distributed_write(3);
    assert_int_equal(unlink(in_directory("d/.metadata")), 0);
    assert_int_equal(validate("d"), 1);
    assert_output_has("'.metadata', which is written last, is missing beside it");
    assert_output_has("1 problems");
    assert_int_equal(validate("d/__0_0.distcp"), 2); /* that one, by itself, has no tensor */
}

static void metadata_cut_off_anywhere_is_malformed(void **state)
{
    struct bytes bytes = {0};
    struct dcp_metadata metadata;

    (void)state;
    metadata_build(whole, 3, &bytes);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(dcp_metadata_read(bytes.data, size, NULL, &metadata), -EUCLEAN);
    file_write("d/.metadata", bytes.data, bytes.size - 1);
    assert_int_equal(validate("d/.metadata"), 1);
    assert_output_has("malformed .metadata");
    file_write("d/.metadata", "", 0);
    assert_int_equal(validate("d/.metadata"), 2); /* whose is it? */
    file_write("d/__0_0.distcp", "", 0);
    assert_int_equal(validate("d/.metadata"), 1);
    assert_output_has("malformed .metadata");
    bytes_free(&bytes);
}

static void metadata_of_others_is_none_of_ours(void **state)
{
    (void)state;
    text_write("d/.metadata", "{\"kind\": \"other\"}");
    assert_int_equal(validate("d"), 2); /* nothing to check */
    text_write("d/.metadata", "\x80\x02}X\1");
    assert_int_equal(validate("d"), 1);
    file_write("d/.metadata", "\x80\x02}.", 4); /* a dict without what ours has */
    assert_int_equal(validate("d"), 2);
    file_write("d/__0_0.distcp", "", 0);
    assert_int_equal(validate("d"), 1);
    assert_output_has("whether the checkpoint is complete cannot be told");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sharded_model_that_is_complete_is_ok),
        TEST(a_shard_that_is_missing_is_named_once),
        TEST(a_tensor_that_is_not_in_its_shard_is_named),
        TEST(names_in_shards_of_torch_are_compared_too),
        TEST(shards_whose_names_cannot_be_told_are_not_accused),
        TEST(a_cache_of_links_is_complete_by_its_links),
        TEST(an_index_that_is_none_is_malformed),
        TEST(an_index_leads_to_no_other_folder),
        TEST(numbered_files_without_an_index_are_counted),
        TEST(a_distributed_checkpoint_that_is_complete_is_ok),
        TEST(a_rank_s_file_that_is_cut_or_missing_is_named),
        TEST(a_piece_without_a_place_is_named),
        TEST(a_save_that_did_not_end_has_no_metadata),
        TEST(metadata_cut_off_anywhere_is_malformed),
        TEST(metadata_of_others_is_none_of_ours),
    };

    console_init(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
