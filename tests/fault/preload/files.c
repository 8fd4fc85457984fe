/*
 * The store's open files, and the journal.
 *
 * One lock is held over each operation and its record. So the journal has the order of what
 * happened, and a process that dies by the layer's own hand leaves no operation without its record.
 */
#include "tests/fault/preload/layer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { descriptors_max = 4096, name_bytes = 128 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char names[descriptors_max][name_bytes]; /* guarded by lock */
static bool is_ours[descriptors_max];           /* guarded by lock: the descriptor has a name */
static char store[PATH_MAX]; /* without a slash at its end; "": no store to look after */
static size_t store_size;
static int journal = -1;
static uint64_t last_record; /* guarded by lock */

static void die(const char *what)
{
    perror(what);
    _exit(99);
}

__attribute__((constructor)) static void files_open(void)
{
    const char *path = getenv("TFS_FAULT_STORE");
    const char *journal_path = getenv("TFS_FAULT_JOURNAL");

    (void)unsetenv("LD_PRELOAD"); /* what the daemon starts is not tested */
    if (path && path[0] == '/' && strlen(path) < sizeof(store)) {
        store_size = strlen(path);
        memcpy(store, path, store_size + 1);
    }
    if (!journal_path)
        return;
    journal = (int)syscall(SYS_openat, AT_FDCWD, journal_path,
                           O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0)
        die(journal_path);
}

/* Leaves out what leads nowhere: empty parts and dots. */
static void copy_clean(const char *path, char ret[PATH_MAX])
{
    size_t used = 0;

    while (*path) {
        size_t size = strcspn(path, "/");

        if (size > 0 && !(size == 1 && path[0] == '.') && used + size + 2 < PATH_MAX) {
            if (used > 0)
                ret[used++] = '/';
            memcpy(ret + used, path, size);
            used += size;
        }
        path += size + (path[size] == '/');
    }
    ret[used] = '\0';
}

void layer_resolve(int directory, const char *path, struct layer_path *ret)
{
    char whole[2 * PATH_MAX];
    struct layer_path below;

    ret->inside = false;
    if (store_size == 0)
        return;
    if (path[0] == '/') {
        if (strncmp(path, store, store_size) != 0 ||
            (path[store_size] != '/' && path[store_size] != '\0'))
            return;
        copy_clean(path + store_size, ret->name);
    } else {
        if (!layer_find(directory, &below))
            return;
        (void)snprintf(whole, sizeof(whole), "%s/%s", below.name, path);
        copy_clean(whole, ret->name);
    }
    ret->inside = true;
}

/* RocksDB's own log is not the index: nothing reads it, and Debian's build asserts that it can be
 * written; store/index/rocksdb_options.c has more of that. */
enum fault_part layer_part(const char *name)
{
    if (strncmp(name, "segments", 8) == 0)
        return fault_segments;
    if (strncmp(name, "index/LOG", 9) == 0)
        return fault_rest;
    return strncmp(name, "index", 5) == 0 ? fault_index : fault_rest;
}

bool layer_find(int fd, struct layer_path *ret)
{
    ret->inside = false;
    if (fd < 0 || fd >= descriptors_max || store_size == 0)
        return false;
    layer_lock();
    if (is_ours[fd]) {
        ret->inside = true;
        (void)snprintf(ret->name, sizeof(ret->name), "%s", names[fd]);
    }
    layer_end();
    return ret->inside;
}

void layer_lock(void)
{
    (void)pthread_mutex_lock(&lock); /* neither recursive nor robust: cannot fail */
}

void layer_begin(void)
{
    struct fault_page *page = plan_page();

    layer_lock();
    if (page && ++page->operations == page->cut_at) {
        (void)kill(getpid(), SIGKILL);
        for (;;)
            (void)pause();
    }
}

void layer_end(void)
{
    (void)pthread_mutex_unlock(&lock);
}

bool layer_has_journal(void)
{
    return journal >= 0;
}

uint64_t layer_last_record_locked(void)
{
    return last_record;
}

void layer_record_locked(struct fault_record record, const void *payload)
{
    struct iovec parts[] = {{&record, sizeof(record)},
                            {(void *)(uintptr_t)payload, record.payload_size}};
    ssize_t wanted = (ssize_t)(sizeof(record) + record.payload_size);

    if (journal < 0)
        return;
    if (syscall(SYS_writev, journal, parts, 2) != wanted)
        die("the journal of the fault layer");
    last_record++;
}

void layer_note_open_locked(int fd, const char *name, bool made)
{
    if (fd >= descriptors_max || strlen(name) >= name_bytes)
        die("more open files or longer names than the fault layer can follow");
    memcpy(names[fd], name, strlen(name) + 1);
    is_ours[fd] = true;
    layer_record_locked(
        (struct fault_record){
            .kind = fault_record_open, .fd = fd, .offset = made, .payload_size = strlen(name) + 1},
        name);
}

void layer_note_close_locked(int fd)
{
    if (fd < 0 || fd >= descriptors_max || !is_ours[fd])
        return;
    is_ours[fd] = false;
    layer_record_locked((struct fault_record){.kind = fault_record_close, .fd = fd}, NULL);
}
