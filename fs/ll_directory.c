/*
 * Directories are read by cookie. READDIRPLUS replies carry entries with attributes; each counts
 * one lookup, so one that did not fit must not count.
 */
#include "fs/caller.h"
#include "fs/ll_cache.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct listing {
    struct ll *ll;
    struct ll_directory *directory; /* NULL: cookies may be long */
    int err;                        /* of a cookie that could not be given */
    char *buffer;                   /* of `size` bytes */
    size_t size;
    size_t used;
    uint64_t stamp; /* from before the attributes were fetched */
};

/* Valid replies: opendir. */
void ll_opendir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    struct ll_directory *directory = NULL;

    (void)inode;
    (void)fi;
    if (caller_is_32bit(fuse_req_ctx(req)->pid)) {
        int err = ll_directory_open(ll, &directory);

        if (err) {
            ll_reply_err(req, err);
            return;
        }
    }
    ll_reply_opendir(req, directory);
}

/* Valid replies: error. */
void ll_releasedir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    (void)inode;
    ll_directory_close(ll_of(req), (struct ll_directory *)(uintptr_t)fi->fh);
    ll_reply_err(req, 0);
}

/* As the kernel does for 32-bit programs on its own filesystems of 64-bit numbers. */
static uint64_t short_inode(uint64_t inode)
{
    return (uint32_t)(inode ^ inode >> 32);
}

/* Returns: false when no cookie can be given, which listing->err then says. */
static bool dirent_fill(struct listing *listing, struct fuse_dirent *dirent,
                        const struct tfs_directory_entry *entry, size_t name_length,
                        size_t padded_size)
{
    uint32_t cookie = 0;

    if (listing->directory)
        listing->err =
            short_cookies_give(&listing->directory->cookies, entry->place, entry->cookie, &cookie);
    if (listing->err)
        return false;
    dirent->ino = listing->directory ? short_inode(entry->inode) : entry->inode;
    dirent->off = listing->directory ? cookie : entry->cookie;
    dirent->namelen = (uint32_t)name_length;
    dirent->type = (entry->mode & S_IFMT) >> 12; /* DT_* */
    memcpy(dirent->name, entry->name, name_length);
    memset(dirent->name + name_length, 0,
           padded_size - offsetof(struct fuse_dirent, name) - name_length);
    return true;
}

static bool visit_plain(void *context, const struct tfs_directory_entry *entry)
{
    struct listing *listing = context;
    size_t name_length = strlen(entry->name);
    size_t size = FUSE_DIRENT_ALIGN(offsetof(struct fuse_dirent, name) + name_length);

    if (size > listing->size - listing->used)
        return false;
    if (!dirent_fill(listing, (struct fuse_dirent *)(void *)(listing->buffer + listing->used),
                     entry, name_length, size))
        return false;
    listing->used += size;
    return true;
}

static bool visit_plus(void *context, const struct tfs_directory_entry *entry)
{
    struct listing *listing = context;
    struct ll *ll = listing->ll;
    struct fuse_direntplus *plus =
        (struct fuse_direntplus *)(void *)(listing->buffer + listing->used);
    size_t name_length = strlen(entry->name);
    size_t dirent_size = FUSE_DIRENT_ALIGN(offsetof(struct fuse_dirent, name) + name_length);
    size_t size = offsetof(struct fuse_direntplus, dirent) + dirent_size;

    if (size > listing->size - listing->used)
        return false;
    if (!dirent_fill(listing, &plus->dirent, entry, name_length, dirent_size))
        return false;
    if (entry->attr) {
        struct tfs_attr attr = *entry->attr;

        ll_limit_size(ll, &attr);
        ll_entry_fill(ll, &attr, ll_attr_timeout(ll, entry->inode, listing->stamp),
                      &plus->entry_out);
    } else { /* "." and "..": nodeid 0 tells the kernel to look at the dirent only */
        memset(&plus->entry_out, 0, sizeof(plus->entry_out));
    }
    listing->used += size;
    return true;
}

/* The caller was interrupted: the entries' lookups are given back. */
static void forget_listed(const struct listing *listing)
{
    size_t at = 0;

    while (at < listing->used) {
        const struct fuse_direntplus *plus =
            (const struct fuse_direntplus *)(const void *)(listing->buffer + at);

        if (plus->entry_out.nodeid)
            tfs_forget(listing->ll->volume, plus->entry_out.nodeid, 1);
        at += offsetof(struct fuse_direntplus, dirent) +
              FUSE_DIRENT_ALIGN(offsetof(struct fuse_dirent, name) + plus->dirent.namelen);
    }
}

/* What a reader wants: from which cookie on, and how. */
struct wish {
    size_t size;
    off_t cookie;
    struct ll_directory *directory;
    bool with_attributes;
};

static void list_directory(fuse_req_t req, fuse_ino_t inode, const struct wish *wish)
{
    struct listing listing = {.ll = ll_of(req), .directory = wish->directory, .size = wish->size};
    uint64_t cookie = (uint64_t)wish->cookie;
    int err;

    if (listing.directory)
        cookie = short_cookies_take(&listing.directory->cookies, cookie);
    if (listing.size > LL_IO_SIZE_MAX)
        listing.size = LL_IO_SIZE_MAX;
    listing.stamp = ll_attr_stamp(listing.ll);
    listing.buffer = malloc(listing.size);
    if (!listing.buffer) {
        ll_reply_err(req, -ENOMEM);
        return;
    }
    err = tfs_readdir(listing.ll->volume, inode, cookie, wish->with_attributes,
                      wish->with_attributes ? visit_plus : visit_plain, &listing);
    err = err ? err : listing.err;
    /* An error behind entries that are counted already is met again by the next request. */
    if (err < 0 && listing.used == 0)
        ll_reply_err(req, err);
    else if (!ll_reply_buffer(req, listing.buffer, listing.used) && wish->with_attributes)
        forget_listed(&listing);
    free(listing.buffer);
    if (wish->with_attributes)
        ll_relieve(listing.ll);
}

/* Valid replies: buffer of fuse_dirent, empty at the end; error. */
void ll_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t cookie,
                struct fuse_file_info *fi)
{
    list_directory(req, inode,
                   &(struct wish){.size = size,
                                  .cookie = cookie,
                                  .directory = (struct ll_directory *)(uintptr_t)fi->fh,
                                  .with_attributes = false});
}

/* Valid replies: buffer of fuse_direntplus (each but "." and ".." counts one lookup); error. */
void ll_readdirplus(fuse_req_t req, fuse_ino_t inode, size_t size, off_t cookie,
                    struct fuse_file_info *fi)
{
    list_directory(req, inode,
                   &(struct wish){.size = size,
                                  .cookie = cookie,
                                  .directory = (struct ll_directory *)(uintptr_t)fi->fh,
                                  .with_attributes = true});
}

/* Valid replies: error. Names reach the index in order, so syncing the volume covers the directory.
 */
void ll_fsyncdir(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *fi)
{
    (void)inode;
    (void)data_only;
    (void)fi;
    ll_reply_err(req, tfs_volume_sync_names(ll_of(req)->volume));
}
