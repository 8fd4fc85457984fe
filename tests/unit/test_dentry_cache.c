/*
 * The table of names looked for lately: it may forget, but what it says is what the index has.
 *
 * Method: the table alone; a small one where it has to forget. That operations on names keep it up
 * is shown by the tests of the namespace, which run with it.
 */
#include "store/inode/dentry_cache.h"

#include "store/base/defs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SMALL_BYTES = 2048 };

static struct tfs_dentry_cache *names;

static int set_up(void **state)
{
    (void)state;
    return dentry_cache_new(64 * TFS_KIB, &names);
}

static int set_up_small(void **state)
{
    (void)state;
    return dentry_cache_new(SMALL_BYTES, &names);
}

static int tear_down(void **state)
{
    (void)state;
    dentry_cache_free(names);
    return 0;
}

static struct dentry_cache_key key_of(uint64_t parent, const char *name)
{
    return (struct dentry_cache_key){.parent = parent, .hash = 1000 + strlen(name), .name = name};
}

/* The inode that the name is said to stand for, 0: said to be absent, -1: not known. */
static int64_t ask(struct dentry_cache_key key, uint64_t *ret_changes)
{
    struct meta_dentry found = {0};

    switch (dentry_cache_find(names, &key, &found, ret_changes)) {
    case DENTRY_PRESENT:
        return (int64_t)found.inode;
    case DENTRY_ABSENT:
        return 0;
    default:
        return -1;
    }
}

static void learn(struct dentry_cache_key key, uint64_t inode, uint64_t changes)
{
    const struct meta_dentry entry = {.inode = inode, .type = S_IFREG};

    dentry_cache_learn(names, &key, inode ? &entry : NULL, changes);
}

static void apply(struct dentry_cache_key key, uint64_t inode)
{
    const struct dentry_cache_change change = {.key = key,
                                               .entry = {.inode = inode, .type = S_IFREG}};

    dentry_cache_apply(names, &change, 1);
}

static void what_was_learnt_is_found(void **state)
{
    uint64_t changes = 0;

    (void)state;
    assert_int_equal(ask(key_of(1, "a"), &changes), -1);
    learn(key_of(1, "a"), 7, changes);
    learn(key_of(1, "bb"), 0, changes);
    assert_int_equal(ask(key_of(1, "a"), &changes), 7);
    assert_int_equal(ask(key_of(1, "bb"), &changes), 0);
}

static void questions_are_counted_by_whether_they_were_answered(void **state)
{
    uint64_t changes = 0;
    uint64_t hits;
    uint64_t misses;

    (void)state;
    (void)ask(key_of(1, "a"), &changes);
    (void)ask(key_of(1, "a"), &changes);
    learn(key_of(1, "a"), 0, changes);
    (void)ask(key_of(1, "a"), &changes);
    dentry_cache_get_counts(names, &hits, &misses);
    assert_int_equal(hits, 1);
    assert_int_equal(misses, 2);
}

static void names_of_one_hash_or_of_other_directories_are_told_apart(void **state)
{
    uint64_t changes = 0;

    (void)state;
    (void)ask(key_of(1, "a"), &changes);
    learn(key_of(1, "a"), 7, changes);
    assert_int_equal(ask(key_of(1, "b"), &changes), -1);
    assert_int_equal(ask(key_of(2, "a"), &changes), -1);
    learn(key_of(1, "b"), 8, changes);
    learn(key_of(2, "a"), 9, changes);
    assert_int_equal(ask(key_of(1, "a"), &changes), 7);
    assert_int_equal(ask(key_of(1, "b"), &changes), 8);
    assert_int_equal(ask(key_of(2, "a"), &changes), 9);
}

static void a_change_overwrites_what_was_learnt(void **state)
{
    uint64_t changes = 0;

    (void)state;
    (void)ask(key_of(1, "a"), &changes);
    learn(key_of(1, "a"), 0, changes);
    apply(key_of(1, "a"), 7);
    assert_int_equal(ask(key_of(1, "a"), &changes), 7);
    apply(key_of(1, "a"), 8);
    assert_int_equal(ask(key_of(1, "a"), &changes), 8);
}

static void a_name_that_was_taken_away_is_not_found_again(void **state)
{
    uint64_t changes = 0;

    (void)state;
    apply(key_of(1, "a"), 7);
    apply(key_of(1, "a"), 0);
    assert_true(ask(key_of(1, "a"), &changes) <= 0);
}

static void an_answer_from_before_a_change_is_not_learnt(void **state)
{
    uint64_t changes = 0;

    (void)state;
    assert_int_equal(ask(key_of(1, "a"), &changes), -1);
    apply(key_of(1, "a"), 7);
    apply(key_of(1, "a"), 0);
    learn(key_of(1, "a"), 7, changes); /* asked in between, told afterwards */
    assert_true(ask(key_of(1, "a"), &changes) <= 0);

    apply(key_of(1, "a"), 8);
    learn(key_of(1, "a"), 0, changes);
    assert_int_equal(ask(key_of(1, "a"), &changes), 8);
}

static void a_small_table_forgets_what_was_not_asked_for_longest(void **state)
{
    enum { COUNT = 1000 };
    uint64_t changes = 0;
    unsigned known = 0;
    char name[16];

    (void)state;
    (void)ask(key_of(1, "x"), &changes);
    apply(key_of(1, "kept"), 4711);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        apply((struct dentry_cache_key){1, 16 + i * 977ull, name}, i + 1);
        assert_int_equal(ask(key_of(1, "kept"), &changes), 4711);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        int64_t found;

        (void)snprintf(name, sizeof(name), "n%u", i);
        found = ask((struct dentry_cache_key){1, 16 + i * 977ull, name}, &changes);
        assert_true(found == -1 || found == (int64_t)i + 1);
        known += found > 0;
    }
    assert_in_range(known, 1, SMALL_BYTES / 100);
}

static void a_name_too_long_for_a_cell_is_never_known(void **state)
{
    char name[TFS_NAME_SIZE_MAX + 1];
    uint64_t changes = 0;

    (void)state;
    memset(name, 'n', TFS_NAME_SIZE_MAX);
    for (size_t size = TFS_NAME_SIZE_MAX; size > 0; size--) {
        int64_t found;

        name[size] = '\0';
        apply(key_of(1, name), size);
        found = ask(key_of(1, name), &changes);
        assert_true(found == (int64_t)size || (found == -1 && size > 64));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_learnt_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(questions_are_counted_by_whether_they_were_answered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(names_of_one_hash_or_of_other_directories_are_told_apart,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_overwrites_what_was_learnt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_was_taken_away_is_not_found_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_answer_from_before_a_change_is_not_learnt, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_small_table_forgets_what_was_not_asked_for_longest,
                                        set_up_small, tear_down),
        cmocka_unit_test_setup_teardown(a_name_too_long_for_a_cell_is_never_known, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
