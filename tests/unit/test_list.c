/*
 * Goal: lists keep their order through every operation, and forward and backward links agree.
 * Method: after each step the whole list is compared with the names that it should hold.
 */
#include "store/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list node;
};

enum { ITEM_COUNT = 4 };

struct fixture {
    struct list head;
    struct item items[ITEM_COUNT]; /* named a, b, c, d; in no list */
};

static int fixture_init(void **state)
{
    static struct fixture fixture;

    list_init(&fixture.head);
    for (int i = 0; i < ITEM_COUNT; i++) {
        fixture.items[i].name = (char)('a' + i);
        list_init(&fixture.items[i].node);
    }
    *state = &fixture;
    return 0;
}

/* The list holds exactly these names in this order, read forwards and backwards. */
static void assert_names(struct list *head, const char *names)
{
    struct list *node;
    size_t index = 0;

    list_for_each (node, head) {
        assert_true(index < strlen(names));
        assert_int_equal(list_entry(node, struct item, node)->name, names[index]);
        assert_ptr_equal(node->next->previous, node);
        index++;
    }
    assert_int_equal(index, strlen(names));
    for (node = head->previous; node != head; node = node->previous) {
        assert_true(index > 0);
        assert_int_equal(list_entry(node, struct item, node)->name, names[--index]);
    }
    assert_int_equal(index, 0);
    assert_int_equal(list_is_empty(head), names[0] == '\0');
}

static void a_new_list_is_empty(void **state)
{
    struct fixture *f = *state;

    assert_names(&f->head, "");
    assert_null(list_pop_front(&f->head));
}

static void pushes_keep_their_order(void **state)
{
    struct fixture *f = *state;

    list_push_back(&f->head, &f->items[1].node);
    list_push_back(&f->head, &f->items[2].node);
    list_push_front(&f->head, &f->items[0].node);
    assert_names(&f->head, "abc");
}

static void a_node_is_removed_from_every_place_and_twice_without_harm(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < ITEM_COUNT; i++)
        list_push_back(&f->head, &f->items[i].node);
    list_remove(&f->items[1].node);
    assert_names(&f->head, "acd");
    list_remove(&f->items[1].node);
    assert_names(&f->head, "acd");
    list_remove(&f->items[0].node);
    list_remove(&f->items[3].node);
    assert_names(&f->head, "c");
    list_remove(&f->items[2].node);
    assert_names(&f->head, "");
}

static void popping_gives_the_oldest_first(void **state)
{
    struct fixture *f = *state;

    list_push_back(&f->head, &f->items[0].node);
    list_push_back(&f->head, &f->items[1].node);
    assert_ptr_equal(list_pop_front(&f->head), &f->items[0].node);
    assert_true(list_is_empty(&f->items[0].node));
    assert_ptr_equal(list_pop_front(&f->head), &f->items[1].node);
    assert_null(list_pop_front(&f->head));
}

static void splicing_moves_all_to_the_end_and_empties_the_source(void **state)
{
    struct fixture *f = *state;
    struct list from;

    list_init(&from);
    list_splice_back(&f->head, &from);
    assert_names(&f->head, "");

    list_push_back(&from, &f->items[0].node);
    list_push_back(&from, &f->items[1].node);
    list_splice_back(&f->head, &from);
    assert_names(&f->head, "ab");
    assert_names(&from, "");

    list_push_back(&from, &f->items[2].node);
    list_push_back(&from, &f->items[3].node);
    list_splice_back(&f->head, &from);
    assert_names(&f->head, "abcd");
    assert_names(&from, "");

    list_splice_back(&f->head, &from);
    assert_names(&f->head, "abcd");
}

static void nodes_may_be_removed_while_walking_safely(void **state)
{
    struct fixture *f = *state;
    struct list *node;
    struct list *following;

    for (int i = 0; i < ITEM_COUNT; i++)
        list_push_back(&f->head, &f->items[i].node);
    list_for_each_safe (node, following, &f->head) {
        if (list_entry(node, struct item, node)->name % 2 == 0)
            list_remove(node);
    }
    assert_names(&f->head, "ac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_list_is_empty, fixture_init),
        cmocka_unit_test_setup(pushes_keep_their_order, fixture_init),
        cmocka_unit_test_setup(a_node_is_removed_from_every_place_and_twice_without_harm,
                               fixture_init),
        cmocka_unit_test_setup(popping_gives_the_oldest_first, fixture_init),
        cmocka_unit_test_setup(splicing_moves_all_to_the_end_and_empties_the_source, fixture_init),
        cmocka_unit_test_setup(nodes_may_be_removed_while_walking_safely, fixture_init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
