/*
 * Intrusive doubly linked lists. A node belongs to at most one list; a head is a node that points
 * to itself when the list is empty. Nothing here allocates or locks.
 */
#ifndef TFS_BASE_LIST_H
#define TFS_BASE_LIST_H

#include "store/base/defs.h"

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *node)
{
    node->next = node;
    node->previous = node;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list *node, struct list *before, struct list *after)
{
    node->previous = before;
    node->next = after;
    before->next = node;
    after->previous = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_between(node, head->previous, head);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_between(node, head, head->next);
}

/* Leaves the node as an empty list, so that removing it again does no harm. */
static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

/* Move all of `from` to the end of `to`. */
static inline void list_splice_back(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    list_init(from);
}

#define list_entry(node, type, member) tfs_container_of(node, type, member)

#define list_for_each(node, head)                                                                  \
    for ((node) = (head)->next; (node) != (head); (node) = (node)->next)

#define list_for_each_safe(node, following, head)                                                  \
    for ((node) = (head)->next, (following) = (node)->next; (node) != (head);                      \
         (node) = (following), (following) = (node)->next)

#endif
