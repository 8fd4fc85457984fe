/*
 * Paths are absolute and built for each call, as programs build them; both are part of every
 * figure.
 */
#include "tools/bench/workload/meta_ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef char meta_path[PATH_MAX];

static void path_numbered(meta_path path, const char *work, const char *prefix, size_t index)
{
    (void)snprintf(path, sizeof(meta_path), "%s/%s%06zu", work, prefix, index);
}

static int result_of(int returned)
{
    return returned < 0 ? -errno : 0;
}

int meta_ops_prepare(const char *work)
{
    static const char *const names[] = {"directories", "files",    "links",     "trees",
                                        "job",         "job/runs", "job/runs/a"};
    meta_path path;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", work, names[i]);
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int run_mkdir(const char *work, size_t index)
{
    meta_path path;

    path_numbered(path, work, "directories/d", index);
    return result_of(mkdir(path, 0777));
}

static int run_rmdir(const char *work, size_t index)
{
    meta_path path;

    path_numbered(path, work, "directories/d", index);
    return result_of(rmdir(path));
}

static int run_create(const char *work, size_t index)
{
    meta_path path;
    int fd;

    path_numbered(path, work, "files/f", index);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : result_of(close(fd));
}

static int run_open(const char *work, size_t index)
{
    meta_path path;
    int fd;

    path_numbered(path, work, "files/f", index);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : result_of(close(fd));
}

static int run_stat(const char *work, size_t index)
{
    meta_path path;
    struct stat status;

    path_numbered(path, work, "files/f", index);
    return result_of(stat(path, &status));
}

static int run_symlink(const char *work, size_t index)
{
    meta_path path;
    char target[64];

    path_numbered(path, work, "links/s", index);
    (void)snprintf(target, sizeof(target), "../files/f%06zu", index);
    return result_of(symlink(target, path));
}

static int run_readlink(const char *work, size_t index)
{
    meta_path path;
    char target[PATH_MAX];

    path_numbered(path, work, "links/s", index);
    return result_of((int)readlink(path, target, sizeof(target)));
}

static int run_stat_through_link(const char *work, size_t index)
{
    meta_path path;
    struct stat status;

    path_numbered(path, work, "links/s", index);
    return result_of(stat(path, &status));
}

static int run_link(const char *work, size_t index)
{
    meta_path from;
    meta_path to;

    path_numbered(from, work, "files/f", index);
    path_numbered(to, work, "links/h", index);
    return result_of(link(from, to));
}

static int run_rename(const char *work, size_t index)
{
    meta_path from;
    meta_path to;

    path_numbered(from, work, "links/h", index);
    path_numbered(to, work, "links/r", index);
    return result_of(rename(from, to));
}

static int unlink_numbered(const char *work, const char *prefix, size_t index)
{
    meta_path path;

    path_numbered(path, work, prefix, index);
    return result_of(unlink(path));
}

static int run_unlink_symlink(const char *work, size_t index)
{
    return unlink_numbered(work, "links/s", index);
}

static int run_unlink_link(const char *work, size_t index)
{
    return unlink_numbered(work, "links/r", index);
}

static int run_unlink(const char *work, size_t index)
{
    return unlink_numbered(work, "files/f", index);
}

/* What os.makedirs(path, exist_ok=True) does when the path is there: mkdir fails, and it is a
 * directory. */
static int run_ensure_dir(const char *work, size_t index)
{
    meta_path path;
    struct stat status;

    (void)index;
    (void)snprintf(path, sizeof(path), "%s/job/runs/a", work);
    if (mkdir(path, 0777) == 0)
        return -ENOENT; /* it was to be there */
    if (errno != EEXIST || stat(path, &status) < 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

/* A new link beside the old one, renamed over it: readers see the old step or the new one, never
 * none. */
static int run_swap_latest(const char *work, size_t index)
{
    meta_path temporary;
    meta_path latest;
    char target[32];

    (void)snprintf(target, sizeof(target), "step-%06zu", index);
    (void)snprintf(temporary, sizeof(temporary), "%s/job/.latest.tmp", work);
    (void)snprintf(latest, sizeof(latest), "%s/job/latest", work);
    if (symlink(target, temporary) < 0)
        return -errno;
    return result_of(rename(temporary, latest));
}

static void tree_path(meta_path path, const char *work, size_t tree, long step, long link_index)
{
    int used = snprintf(path, sizeof(meta_path), "%s/trees/t%06zu", work, tree);

    if (step >= 0)
        used += snprintf(path + used, sizeof(meta_path) - (size_t)used, "/step-%04ld", step);
    if (link_index >= 0)
        (void)snprintf(path + used, sizeof(meta_path) - (size_t)used, "/shard-%04ld", link_index);
}

static int run_tree_make(const char *work, size_t tree)
{
    meta_path path;

    tree_path(path, work, tree, -1, -1);
    if (mkdir(path, 0777) < 0)
        return -errno;
    for (long step = 0; step < META_TREE_DIRECTORIES; step++) {
        tree_path(path, work, tree, step, -1);
        if (mkdir(path, 0777) < 0)
            return -errno;
        for (long shard = 0; shard < META_TREE_LINKS; shard++) {
            tree_path(path, work, tree, step, shard);
            if (symlink("../../../files/f000000", path) < 0)
                return -errno;
        }
    }
    return 0;
}

static int run_tree_remove(const char *work, size_t tree)
{
    meta_path path;

    for (long step = 0; step < META_TREE_DIRECTORIES; step++) {
        for (long shard = 0; shard < META_TREE_LINKS; shard++) {
            tree_path(path, work, tree, step, shard);
            if (unlink(path) < 0)
                return -errno;
        }
        tree_path(path, work, tree, step, -1);
        if (rmdir(path) < 0)
            return -errno;
    }
    tree_path(path, work, tree, -1, -1);
    return result_of(rmdir(path));
}

/* Lists one step directory of the trees: 32 names. */
static int run_readdir(const char *work, size_t index)
{
    size_t directory = index % ((size_t)META_TREES * META_TREE_DIRECTORIES);
    struct dirent *entry;
    meta_path path;
    DIR *stream;
    int names = 0;

    tree_path(path, work, directory / META_TREE_DIRECTORIES,
              (long)(directory % META_TREE_DIRECTORIES), -1);
    stream = opendir(path);
    if (!stream)
        return -errno;
    while ((entry = readdir(stream)) != NULL)
        names += entry->d_name[0] != '.';
    if (closedir(stream) < 0)
        return -errno;
    return names == META_TREE_LINKS ? 0 : -EUCLEAN;
}

const struct meta_op meta_ops[] = {
    {"mkdir", "mkdir", META_WARM, META_EACH_OBJECT, run_mkdir},
    {"create", "create + close", META_WARM, META_EACH_OBJECT, run_create},
    {"symlink", "symlink", META_WARM, META_EACH_OBJECT, run_symlink},
    {"link", "link", META_WARM, META_EACH_OBJECT, run_link},
    {"rename", "rename", META_WARM, META_EACH_OBJECT, run_rename},
    {"stat", "stat", META_WARM, META_EACH_OBJECT, run_stat},
    {"stat_symlink", "stat via symlink", META_WARM, META_EACH_OBJECT, run_stat_through_link},
    {"open", "open + close", META_WARM, META_EACH_OBJECT, run_open},
    {"readlink", "readlink", META_WARM, META_EACH_OBJECT, run_readlink},
    {"ensure_dir", "ensure_dir, exists", META_WARM, META_EACH_OBJECT, run_ensure_dir},
    {"swap_latest", "swap latest -> step", META_WARM, META_EACH_OBJECT, run_swap_latest},
    {"tree_make", "tree of 32 x 32 links", META_WARM, META_EACH_TREE, run_tree_make},
    {"readdir", "readdir of 32", META_WARM, META_EACH_TREE_DIRECTORY, run_readdir},
    {"stat_cold", "stat, uncached", META_COLD, META_EACH_OBJECT, run_stat},
    {"open_cold", "open, uncached", META_COLD, META_EACH_OBJECT, run_open},
    {"readlink_cold", "readlink, uncached", META_COLD, META_EACH_OBJECT, run_readlink},
    {"readdir_cold", "readdir, uncached", META_COLD, META_EACH_TREE_DIRECTORY, run_readdir},
    {"tree_remove", "tree removed", META_REWARM, META_EACH_TREE, run_tree_remove},
    {"unlink_symlink", "unlink symlink", META_WARM, META_EACH_OBJECT, run_unlink_symlink},
    {"unlink_link", "unlink hard link", META_WARM, META_EACH_OBJECT, run_unlink_link},
    {"unlink", "unlink", META_WARM, META_EACH_OBJECT, run_unlink},
    {"rmdir", "rmdir", META_WARM, META_EACH_OBJECT, run_rmdir},
};
const size_t meta_op_count = TFS_ARRAY_COUNT(meta_ops);
