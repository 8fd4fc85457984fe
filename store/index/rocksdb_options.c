/*
 * How RocksDB is set up, in one place.
 *
 * Write-ahead log: point-in-time recovery. After a power cut the log's unsynced end may hold
 * anything, pages that were written out of order included; replay stops at the first record that
 * does not check, which leaves a prefix of the batches. Tolerating a torn tail only would refuse to
 * open such a log. Recycled log files would make synced appends cheaper, but RocksDB 7.8 turns them
 * off for every recovery mode that leaves no gaps.
 *
 * Memory: half of the budget for the block cache, which holds index and filter blocks too, a
 * quarter for all memtables together. RocksDB only begins to flush at that quarter and lets writers
 * go on, so the true bound is that of each table: two memtables, one of them being flushed, each an
 * eighth of the quarter. All of them full come to the other half of the budget.
 *
 * RocksDB's own log: the options that it dumps when it opens, and nothing after that. On a full
 * disk the second line that cannot be written trips an assertion that Debian's build keeps, and the
 * process would end; what matters reaches our log.
 */
#include "store/base/log.h"
#include "store/index/rocksdb_internal.h"

#include <assert.h>

enum {
    KEY_PREFIX_SIZE = 8,
    BLOOM_BITS_PER_KEY = 10,
    OPEN_FILES_MAX = 256,
    LOG_FILES_MAX = 2,
    LOG_FILE_SIZE_MAX = 1024 * 1024,
    LOG_LEVEL_FATAL = 4,          /* of RocksDB: debug, info, warn, error, fatal, header */
    MEMTABLES_PER_FAMILY_MAX = 2, /* writers wait when the second is full too */
    BACKGROUND_JOBS_MAX = 2,
    ARENA_BLOCK_SIZE_MIN = 16 * 1024,
    ARENA_BLOCK_SIZE_MAX = 256 * 1024,
};

static const uint64_t memory_size_min = 8 * TFS_MIB;
static const uint64_t memtables_size_max = 64 * TFS_MIB; /* more only makes recovery slower */
static const uint64_t manifest_size_max = 4 * TFS_MIB;   /* it is rewritten then */
static const double memtable_bloom_share = 0.05;
static const uint64_t background_sync_size = TFS_MIB; /* no flush piles up dirty pages */

static const bool prefixed[INDEX_TABLE_COUNT] = {
    [INDEX_INODE] = false, /* the prefix is the whole key */
    [INDEX_DENTRY] = true, [INDEX_EXTENT] = true,  [INDEX_XATTR] = true,  [INDEX_SEGMENT] = false,
    [INDEX_SHARE] = true,  [INDEX_ORPHAN] = false, [INDEX_SUPER] = false,
};

bool rocks_table_has_prefix(enum index_table table)
{
    assert((unsigned)table < INDEX_TABLE_COUNT);
    return prefixed[table];
}

static uint64_t memory_size(uint64_t memory_size_max)
{
    return tfs_max_u64(memory_size_max, memory_size_min);
}

static uint64_t memtables_size(uint64_t memory_size_max)
{
    return tfs_min_u64(memory_size(memory_size_max) / 4, memtables_size_max);
}

size_t rocks_cache_size(uint64_t memory_size_max)
{
    return (size_t)(memory_size(memory_size_max) / 2);
}

static rocksdb_options_t *database_options(const struct rocks *rocks)
{
    rocksdb_options_t *options = rocksdb_options_create();
    uint64_t memtables = memtables_size(rocks->memory_size_max);

    rocksdb_options_set_create_if_missing(options, rocks->create);
    rocksdb_options_set_create_missing_column_families(options, rocks->create);
    rocksdb_options_set_wal_recovery_mode(options, rocksdb_point_in_time_recovery);
    rocksdb_options_set_db_write_buffer_size(options, memtables);
    rocksdb_options_set_max_total_wal_size(options, 4 * memtables);
    rocksdb_options_set_bytes_per_sync(options, background_sync_size);
    rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS_MAX);
    rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
    rocksdb_options_set_max_file_opening_threads(options, 1); /* few files: threads cost more */
    rocksdb_options_set_max_manifest_file_size(options, manifest_size_max);
    rocksdb_options_set_manifest_preallocation_size(options, 64 * TFS_KIB);
    rocksdb_options_set_keep_log_file_num(options, LOG_FILES_MAX);
    rocksdb_options_set_max_log_file_size(options, LOG_FILE_SIZE_MAX);
    rocksdb_options_set_info_log_level(options, LOG_LEVEL_FATAL);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    return options;
}

static rocksdb_block_based_table_options_t *block_options(const struct rocks *rocks)
{
    rocksdb_block_based_table_options_t *blocks = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_cache(blocks, rocks->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(blocks, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(blocks, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(blocks, 1);
    rocksdb_block_based_options_set_filter_policy(
        blocks, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY)); /* given */
    rocksdb_block_based_options_set_format_version(blocks, 5);
    return blocks;
}

static rocksdb_options_t *family_options(const struct rocks *rocks, bool has_prefix)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *blocks = block_options(rocks);
    uint64_t memtables = memtables_size(rocks->memory_size_max);
    uint64_t arena = memtables / 64;

    arena = tfs_min_u64(tfs_max_u64(arena, ARENA_BLOCK_SIZE_MIN), ARENA_BLOCK_SIZE_MAX);

    rocksdb_options_set_block_based_table_factory(options, blocks); /* copied */
    rocksdb_block_based_options_destroy(blocks);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, memtables / INDEX_TABLE_COUNT);
    rocksdb_options_set_max_write_buffer_number(options, MEMTABLES_PER_FAMILY_MAX);
    rocksdb_options_set_arena_block_size(options, arena);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, memtable_bloom_share);
    /* Guards ask for keys that are not there. */
    rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    if (has_prefix)
        rocksdb_options_set_prefix_extractor(
            options, rocksdb_slicetransform_create_fixed_prefix(KEY_PREFIX_SIZE)); /* given */
    return options;
}

/*
 * Each change of a name writes the record of a new or removed inode and the one of its directory.
 * Where RocksDB inserted last helps with neither, since they lie far apart; a place for each 256
 * numbers does. Measured: a tenth less instructions for making a name, 7 % for the others. The C
 * interface has this option as text only.
 */
static void insert_near_neighbours(rocksdb_options_t *options)
{
    char *message = NULL;

    rocksdb_get_options_from_string(
        options, "memtable_insert_with_hint_prefix_extractor=rocksdb.CappedPrefix.7", options,
        &message);
    if (rocks_status_take(message, "options") < 0)
        tfs_debug("index: inserts without hints"); /* slower, nothing else */
}

void rocks_settings_init(struct rocks_settings *settings, const struct rocks *rocks)
{
    settings->db = database_options(rocks);
    for (int i = 0; i < INDEX_TABLE_COUNT; i++) {
        settings->names[i] = index_table_name((enum index_table)i);
        settings->families[i] = family_options(rocks, prefixed[i]);
    }
    insert_near_neighbours(settings->families[INDEX_INODE]);
    settings->names[INDEX_TABLE_COUNT] = ROCKS_DEFAULT_FAMILY;
    settings->families[INDEX_TABLE_COUNT] = family_options(rocks, false);
}

void rocks_settings_release(struct rocks_settings *settings)
{
    for (int i = 0; i < ROCKS_FAMILY_COUNT; i++)
        rocksdb_options_destroy(settings->families[i]);
    rocksdb_options_destroy(settings->db);
}
