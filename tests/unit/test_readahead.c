/*
 * Reading ahead begins where a file is read in sequence, in whatever order the kernel's parallel
 * requests arrive, and nowhere else.
 */
#include "store_fixture.h"

#include "store/data.h"
#include "store/file.h"

enum { FILE_SIZE = 24 << 20, REQUEST = 256 << 10, REQUESTS = FILE_SIZE / REQUEST };

static struct tfs_file *open_stored(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, FILE_SIZE, 1);
    tfs_file_close(file);
    fixture_reopen(fixture);
    return fixture_open_file(fixture, "file");
}

static void read_request(struct tfs_file *file, unsigned request)
{
    struct tfs_read read;

    assert_int_equal(tfs_file_read(file, (uint64_t)request * REQUEST, REQUEST, &read), 0);
    tfs_read_release(&read);
}

/* Whether any of the file's streams was taken further than it was read. */
static bool decodes_ahead(struct tfs_file *file)
{
    struct readahead *readahead = &file->inode->data->readahead;
    bool ahead = false;

    tfs_mutex_lock(&file->inode->lock);
    for (int i = 0; i < READAHEAD_STREAMS; i++)
        ahead = ahead || readahead->streams[i].ahead > readahead->streams[i].next;
    tfs_mutex_unlock(&file->inode->lock);
    return ahead;
}

static bool something_was_decoded(void *context)
{
    struct fixture *fixture = context;

    return tfs_counter_get(&fixture->volume->stats.prefetched) > 0;
}

static void a_sequence_is_decoded_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);

    read_request(file, 0);
    assert_false(decodes_ahead(file)); /* one read is no sequence */
    for (unsigned i = 1; i < 8; i++)
        read_request(file, i);
    assert_true(decodes_ahead(file));
    fixture_wait(something_was_decoded, fixture);
    tfs_file_close(file);
}

static void a_sequence_whose_requests_overtake_each_other_is_decoded_ahead(void **state)
{
    struct tfs_file *file = open_stored(*state);

    for (unsigned i = 0; i < 12; i += 3) {
        read_request(file, i + 2);
        read_request(file, i);
        read_request(file, i + 1);
    }
    assert_true(decodes_ahead(file));
    tfs_file_close(file);
}

static void two_sequences_in_turns_are_both_decoded_ahead(void **state)
{
    struct tfs_file *file = open_stored(*state);
    struct readahead *readahead;
    unsigned ahead = 0;

    for (unsigned i = 0; i < 8; i++) {
        read_request(file, i);
        read_request(file, REQUESTS / 2 + i);
    }
    readahead = &file->inode->data->readahead;
    for (int i = 0; i < READAHEAD_STREAMS; i++)
        ahead += readahead->streams[i].ahead > readahead->streams[i].next;
    assert_int_equal(ahead, 2);
    tfs_file_close(file);
}

/* A few blocks are asked for again and again, some of them neighbours, as a skewed load does. */
static void large_random_reads_start_nothing(void **state)
{
    enum { BLOCKS = 480 };
    static const unsigned popular[] = {3, 4, 9, 117, 119, 240, 243, 260, 261, 380};
    struct tfs_file *file = fixture_create(*state, "file");
    uint64_t seed = 1;

    fixture_truncate(*state, tfs_file_inode(file), (uint64_t)BLOCKS * REQUEST);
    for (unsigned i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        read_request(file,
                     seed >> 63 ? popular[(seed >> 32) % 10] : (unsigned)(seed >> 32) % BLOCKS);
        assert_false(decodes_ahead(file));
    }
    tfs_file_close(file);
}

#define READAHEAD_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READAHEAD_TEST(a_sequence_is_decoded_ahead),
        READAHEAD_TEST(a_sequence_whose_requests_overtake_each_other_is_decoded_ahead),
        READAHEAD_TEST(two_sequences_in_turns_are_both_decoded_ahead),
        READAHEAD_TEST(large_random_reads_start_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
