/*
 * Open files, and how the kernel is to treat each while nobody else has the file open. Beside
 * others a handle takes their way: open_inode.h.
 *
 * Write only: direct I/O. The data go from the program's memory to ours with one copy and leave no
 * pages behind (2.4-2.9 GB/s against 1.3-1.8 through the page cache), and writers of one
 * file need not wait for each other.
 *
 * Read only, read and write: through the page cache, which is kept over close and open. Programs
 * that open for both (HDF5, SQLite, np.memmap) read back small pieces of what they wrote, and map
 * it; with direct I/O each of these reads would be a request.
 *
 * Read and write, new and exclusive: direct, when shared mappings of direct files work on this
 * kernel. It is how temporary files are made (safetensors, Python's tempfile, rsync, git), which
 * are written once from front to end and renamed. Writes of 16 MiB to a store in memory, medians of
 * 7 alternating runs on a busy machine: 1.85 GB/s this way, 1.13 through the page cache.
 *
 * An open directory holds nothing (its entries are read by cookie) but for 32-bit programs, whose C
 * library has no room for cookies and inode numbers of 64 bits: short_cookies.h.
 */
#include "fs/ll_handle.h"

#include "fs/ll_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static bool wants_direct(const struct ll *ll, int flags, bool is_new)
{
    switch (flags & O_ACCMODE) {
    case O_WRONLY:
        return true;
    case O_RDWR:
        return is_new && (flags & O_EXCL) &&
               protocol_has(&ll->protocol, PROTOCOL_DIRECT_IO_ALLOW_MMAP);
    default:
        return false;
    }
}

static struct open_use use_of(const struct ll *ll, int flags, bool is_new)
{
    return (struct open_use){
        .is_direct = wants_direct(ll, flags, is_new),
        .writes = (flags & O_ACCMODE) != O_RDONLY,
        .reads = (flags & O_ACCMODE) != O_WRONLY,
    };
}

static uint32_t open_flags_of(const struct open_use *use, int flags)
{
    uint32_t open_flags = use->is_direct ? FOPEN_DIRECT_IO : FOPEN_KEEP_CACHE;

    if (use->is_direct && use->writes)
        open_flags |= FOPEN_PARALLEL_DIRECT_WRITES;
    if (!use->writes && !(flags & O_TRUNC))
        open_flags |= FOPEN_NOFLUSH; /* nothing to be reported at close */
    return open_flags;
}

/* O_TRUNC changes the size. */
static int open_in_store(struct ll *ll, struct ll_file *file, int flags)
{
    bool is_cut = (flags & O_TRUNC) != 0;
    int err;

    if (is_cut) {
        (void)open_inode_change_begin(&ll->inodes, file->open);
        open_inode_cut_begin(file->open);
    }
    err = tfs_file_open(ll->volume, file->inode, flags & (O_ACCMODE | O_TRUNC), &file->file);
    if (is_cut)
        open_inode_change_end(&ll->inodes, file->open, OPEN_CHANGE_CUT, 0);
    return err;
}

static void file_free(struct ll *ll, struct ll_file *file)
{
    if (file->open)
        open_inode_put(&ll->inodes, file->open);
    free(file);
}

/* A file that shows no blocks may show some from now on, see ll_attr_fill(). */
static void forget_that_it_has_no_blocks(struct ll *ll, uint64_t inode)
{
    struct tfs_attr attr;

    if (tfs_getattr(ll->volume, inode, &attr) == 0 && attr.size > 0 && attr.blocks == 0)
        ll_forget_attributes(ll, inode);
}

static void enter(struct ll *ll, struct ll_file *file, int flags, bool is_new)
{
    file->use = use_of(ll, flags, is_new);
    open_inode_enter(&ll->inodes, file->open, &file->use);
    file->open_flags = open_flags_of(&file->use, flags);
    if (!file->use.is_direct)
        tfs_file_set_cached_above(file->file);
    file->is_readable = file->use.reads;
    file->is_mapper = (flags & O_ACCMODE) == O_RDWR;
    file->is_synchronous = ll->is_synchronous || (flags & O_DSYNC); /* a bit of O_SYNC, too */
    if (!file->is_mapper)
        return;
    inode_hints_mapper_add(ll->hints, file->inode);
    if (!is_new)
        forget_that_it_has_no_blocks(ll, file->inode);
}

int ll_file_open(struct ll *ll, uint64_t inode, int flags, bool is_new, struct ll_file **ret)
{
    struct ll_file *file = calloc(1, sizeof(*file));
    int err = -ENOMEM;

    if (!file)
        return err;
    file->inode = inode;
    file->open = open_inodes_get(&ll->inodes, inode);
    if (file->open)
        err = open_in_store(ll, file, flags);
    if (err < 0) {
        file_free(ll, file);
        return err;
    }
    enter(ll, file, flags, is_new);
    tfs_mutex_lock(&ll->files_lock);
    list_push_back(&ll->files, &file->node);
    tfs_mutex_unlock(&ll->files_lock);
    *ret = file;
    return 0;
}

void ll_file_close(struct ll *ll, struct ll_file *file)
{
    tfs_mutex_lock(&ll->files_lock);
    list_remove(&file->node);
    tfs_mutex_unlock(&ll->files_lock);
    /* First, for the next opener may be waiting. */
    ll_inode_leave(ll, file->open, &file->use, file->is_written);
    tfs_file_close(file->file);
    if (file->is_written)
        inode_hints_writer_remove(ll->hints, file->inode);
    if (file->is_mapper)
        inode_hints_mapper_remove(ll->hints, file->inode);
    free(file);
}

void ll_file_mark_written(struct ll *ll, struct ll_file *file)
{
    /* Relaxed: only the exchange itself matters, that one thread counts the handle. */
    if (!atomic_load_explicit(&file->is_written, memory_order_relaxed) &&
        !atomic_exchange_explicit(&file->is_written, true, memory_order_relaxed))
        inode_hints_writer_add(ll->hints, file->inode);
}

/* ---- directories ---- */

int ll_directory_open(struct ll *ll, struct ll_directory **ret)
{
    struct ll_directory *directory = calloc(1, sizeof(*directory));

    if (!directory)
        return -ENOMEM;
    tfs_mutex_lock(&ll->files_lock);
    list_push_back(&ll->directories, &directory->node);
    tfs_mutex_unlock(&ll->files_lock);
    *ret = directory;
    return 0;
}

void ll_directory_close(struct ll *ll, struct ll_directory *directory)
{
    if (!directory)
        return;
    tfs_mutex_lock(&ll->files_lock);
    list_remove(&directory->node);
    tfs_mutex_unlock(&ll->files_lock);
    short_cookies_release(&directory->cookies);
    free(directory);
}

/* ---- what is left ---- */

void ll_close_handles(struct ll *ll)
{
    while (!list_is_empty(&ll->files))
        ll_file_close(ll, list_entry(ll->files.next, struct ll_file, node));
    while (!list_is_empty(&ll->directories))
        ll_directory_close(ll, list_entry(ll->directories.next, struct ll_directory, node));
}
