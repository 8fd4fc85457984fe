#include "memory_segments.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ALIGNMENT = 512, SEGMENTS_MAX = 256, CAPACITY_MIN = 64 * 1024 };

struct segment {
    uint64_t number; /* 0: there is none here */
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    size_t synced_size;
    bool is_synced; /* there is a segment of this number after a crash */
};

/* What is behind a path. */
struct disk {
    struct disk *next;
    char *path;
    pthread_mutex_t lock; /* guards the rest */
    struct segment segments[SEGMENTS_MAX];
};

struct memory_store {
    struct segment_store store;
    struct segments_options options;
    struct segment_budget *budget;
    struct disk *disk;
    uint64_t active; /* guarded by disk->lock; 0: the next append begins a segment */
};

static struct disk *disks;
static pthread_mutex_t disks_lock = PTHREAD_MUTEX_INITIALIZER;

static void *must(void *memory)
{
    assert_non_null(memory);
    return memory;
}

static struct disk *disk_find(const char *path)
{
    struct disk *disk;

    pthread_mutex_lock(&disks_lock);
    disk = disks;
    while (disk && strcmp(disk->path, path) != 0)
        disk = disk->next;
    pthread_mutex_unlock(&disks_lock);
    return disk;
}

static struct disk *disk_make(const char *path)
{
    struct disk *disk = must(calloc(1, sizeof(*disk)));

    disk->path = must(strdup(path));
    pthread_mutex_init(&disk->lock, NULL);
    pthread_mutex_lock(&disks_lock);
    disk->next = disks;
    disks = disk;
    pthread_mutex_unlock(&disks_lock);
    return disk;
}

/* 0 finds a place for another. */
static struct segment *segment_find(struct disk *disk, uint64_t number)
{
    for (int i = 0; i < SEGMENTS_MAX; i++) {
        if (disk->segments[i].number == number)
            return &disk->segments[i];
    }
    return NULL;
}

void memory_segments_crash(const char *path, const char *to)
{
    struct disk *from = must(disk_find(path));
    struct disk *after = disk_make(to);

    pthread_mutex_lock(&from->lock);
    for (int i = 0; i < SEGMENTS_MAX; i++) {
        struct segment *left = &after->segments[i];

        if (!from->segments[i].is_synced)
            continue;
        *left = from->segments[i];
        left->size = left->capacity = left->synced_size;
        left->bytes = must(malloc(left->size + 1));
        memcpy(left->bytes, from->segments[i].bytes, left->size);
    }
    pthread_mutex_unlock(&from->lock);
}

void memory_segments_forget_all(void)
{
    struct disk *disk;

    while ((disk = disks)) {
        disks = disk->next;
        for (int i = 0; i < SEGMENTS_MAX; i++)
            free(disk->segments[i].bytes);
        pthread_mutex_destroy(&disk->lock);
        free(disk->path);
        free(disk);
    }
}

static struct memory_store *memory_of(struct segment_store *store)
{
    return tfs_container_of(store, struct memory_store, store);
}

static int memory_open(const struct segments_options *options, struct segment_budget *budget,
                       struct segment_store **ret)
{
    struct memory_store *memory = must(calloc(1, sizeof(*memory)));
    struct disk *disk = disk_find(options->path);

    memory->store.alignment = ALIGNMENT;
    memory->options = *options;
    memory->budget = budget;
    memory->disk = disk ? disk : disk_make(options->path);
    *ret = &memory->store;
    return 0;
}

static void memory_close(struct segment_store *store)
{
    free(memory_of(store));
}

static int active_begin(struct memory_store *memory, struct segment **ret)
{
    struct segment *segment = segment_find(memory->disk, 0);
    uint64_t number;
    int err = memory->options.take_number(memory->options.context, &number);

    if (err < 0)
        return err;
    assert_non_null(segment);
    assert_null(segment_find(memory->disk, number));
    segment->number = memory->active = number;
    *ret = segment;
    return 0;
}

static int append_locked(struct memory_store *memory, const struct segment_pieces *from,
                         struct segment_position *ret)
{
    struct segment *segment = memory->active ? segment_find(memory->disk, memory->active) : NULL;
    int err;

    if (!segment || memory->options.segment_size_max - segment->size < from->size) {
        err = active_begin(memory, &segment);
        if (err < 0)
            return err;
    }
    if (segment->capacity - segment->size < from->size) {
        segment->capacity = 2 * (segment->size + from->size) + CAPACITY_MIN;
        segment->bytes = must(realloc(segment->bytes, segment->capacity));
    }
    *ret = (struct segment_position){.number = segment->number, .offset = segment->size};
    for (int i = 0; i < from->count; i++) {
        memcpy(segment->bytes + segment->size, from->pieces[i].iov_base, from->pieces[i].iov_len);
        segment->size += from->pieces[i].iov_len;
    }
    return 0;
}

static int memory_append(struct segment_store *store, const struct segment_pieces *from,
                         struct segment_position *ret)
{
    struct memory_store *memory = memory_of(store);
    int err = segment_budget_take(memory->budget, from->size);

    if (err < 0)
        return err;
    pthread_mutex_lock(&memory->disk->lock);
    err = append_locked(memory, from, ret);
    pthread_mutex_unlock(&memory->disk->lock);
    if (err < 0)
        segment_budget_return(memory->budget, from->size);
    return err;
}

static int memory_sync(struct segment_store *store)
{
    struct disk *disk = memory_of(store)->disk;

    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < SEGMENTS_MAX; i++) {
        disk->segments[i].synced_size = disk->segments[i].size;
        disk->segments[i].is_synced = disk->segments[i].number != 0;
    }
    pthread_mutex_unlock(&disk->lock);
    return 0;
}

static void copy_out(const uint8_t *bytes, size_t size, const struct segment_pieces *into)
{
    for (int i = 0; size > 0; i++) {
        size_t part = size < into->pieces[i].iov_len ? size : into->pieces[i].iov_len;

        memcpy(into->pieces[i].iov_base, bytes, part);
        bytes += part;
        size -= part;
    }
}

static int memory_read(struct segment_store *store, struct segment_position at, size_t size,
                       const struct segment_pieces *into, size_t *ret_skip)
{
    struct disk *disk = memory_of(store)->disk;
    const struct segment *segment;
    int err = -ENOENT;

    pthread_mutex_lock(&disk->lock);
    segment = at.number ? segment_find(disk, at.number) : NULL;
    if (segment)
        err = at.offset > segment->size || size > segment->size - at.offset ? -EUCLEAN : 0;
    if (!err)
        copy_out(segment->bytes + at.offset, size, into);
    pthread_mutex_unlock(&disk->lock);
    if (!err)
        *ret_skip = 0;
    return err;
}

static int memory_remove(struct segment_store *store, uint64_t number)
{
    struct memory_store *memory = memory_of(store);
    struct segment *segment;
    int err = 0;

    pthread_mutex_lock(&memory->disk->lock);
    segment = number ? segment_find(memory->disk, number) : NULL;
    if (!segment)
        err = -ENOENT;
    else if (number == memory->active)
        err = -EBUSY;
    if (!err) {
        free(segment->bytes);
        *segment = (struct segment){0};
    }
    pthread_mutex_unlock(&memory->disk->lock);
    return err;
}

static int memory_seal(struct segment_store *store)
{
    struct memory_store *memory = memory_of(store);

    pthread_mutex_lock(&memory->disk->lock);
    memory->active = 0;
    pthread_mutex_unlock(&memory->disk->lock);
    return 0;
}

static bool memory_is_active(struct segment_store *store, uint64_t number)
{
    struct memory_store *memory = memory_of(store);
    bool active;

    pthread_mutex_lock(&memory->disk->lock);
    active = number && number == memory->active;
    pthread_mutex_unlock(&memory->disk->lock);
    return active;
}

static int status_compare(const void *a, const void *b)
{
    const struct segment_status *left = a;
    const struct segment_status *right = b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static int memory_visit(struct segment_store *store,
                        int (*visit)(void *context, const struct segment_status *status),
                        void *context)
{
    struct memory_store *memory = memory_of(store);
    struct segment_status found[SEGMENTS_MAX];
    size_t count = 0;
    int err = 0;

    pthread_mutex_lock(&memory->disk->lock);
    for (int i = 0; i < SEGMENTS_MAX; i++) {
        const struct segment *segment = &memory->disk->segments[i];

        if (segment->number)
            found[count++] = (struct segment_status){.number = segment->number,
                                                     .size = segment->size,
                                                     .allocated = segment->size,
                                                     .active = segment->number == memory->active};
    }
    pthread_mutex_unlock(&memory->disk->lock);
    qsort(found, count, sizeof(found[0]), status_compare);
    for (size_t i = 0; i < count && err >= 0; i++)
        err = visit(context, &found[i]);
    return err < 0 ? err : 0;
}

static int memory_space(struct segment_store *store, struct segment_space *ret)
{
    (void)store;
    *ret = (struct segment_space){.total = INT64_MAX, .free = INT64_MAX, .available = INT64_MAX};
    return 0;
}

const struct segment_engine segment_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .append = memory_append,
    .sync = memory_sync,
    .read = memory_read,
    .remove = memory_remove,
    .seal = memory_seal,
    .is_active = memory_is_active,
    .visit = memory_visit,
    .space = memory_space,
};
