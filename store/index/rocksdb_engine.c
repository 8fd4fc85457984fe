/*
 * RocksDB as an engine of the index: one database in the store's folder "index", its tables column
 * families. What it promises follows from its write-ahead log: batches are written to it in the
 * order in which they become visible, a sync makes all of it durable up to then, and replay ends at
 * the first record that is not whole (rocksdb_options.c).
 */
#include "store/index/rocksdb_internal.h"

const struct index_engine index_rocksdb = {
    .name = "rocksdb",
    .folder = "index",
    .open = rocks_open,
    .close = rocks_close,
    .get = rocks_get,
    .get_many = rocks_get_many,
    .scan_open = rocks_scan_open,
    .scan_next = rocks_scan_next,
    .scan_close = rocks_scan_close,
    .apply = rocks_apply,
    .sync = rocks_sync,
    .memory_used = rocks_memory_used,
    .visit_properties = rocks_visit_properties,
};
