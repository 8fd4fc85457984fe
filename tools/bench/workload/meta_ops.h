/*
 * The operations that `meta` times: single system calls as programs make them, and the idioms of
 * checkpointing.
 */
#ifndef TENSORFS_BENCH_META_OPS_H
#define TENSORFS_BENCH_META_OPS_H

#include "store/base/defs.h"

enum meta_cold {
    META_WARM,  /* caches as the operations before left them */
    META_COLD,  /* caches are cleared before the first call */
    META_REWARM /* everything is looked at before the first call, because caches were cleared */
};

/* How often an operation is called in a round. */
enum meta_calls { META_EACH_OBJECT, META_EACH_TREE, META_EACH_TREE_DIRECTORY };

struct meta_op {
    const char *name;
    const char *title;
    enum meta_cold cold;
    enum meta_calls calls;
    /* Operation number `index` in directory `work`. Returns 0 or a negative errno. */
    int (*run)(const char *work, size_t index);
};

enum { META_TREES = 4, META_TREE_DIRECTORIES = 32, META_TREE_LINKS = 32 };

/* In the order in which they must run: the first ones make what the others need, the last ones take
 * it away. */
extern const struct meta_op meta_ops[];
extern const size_t meta_op_count;

/* Make the directories that the operations work in. Errors: not said: of mkdir(2), like -ENOENT. */
TFS_MUST_CHECK int meta_ops_prepare(const char *work);

#endif
