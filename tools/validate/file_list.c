/*
 * A directory is walked as it lies there, without following links, so that the walk ends whatever
 * links say; what links lead to is looked at afterwards, when all that lies there by itself is
 * known and keeps its own place.
 */
#include "tools/validate/file_list.h"

#include "store/base/error.h"
#include "tools/common/interrupt.h"
#include "tools/validate/sibling.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_COUNT_MAX (1u << 20)

struct link_list {
    char **paths;
    size_t count;
    size_t capacity;
};

void file_list_release(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        validate_file_free(list->files[i]);
    free(list->files);
    inode_set_release(&list->inodes);
    inode_set_release(&list->directories);
    memset(list, 0, sizeof(*list));
}

static int complain(int err, const char *path)
{
    if (err != -EINTR)
        (void)fprintf(stderr, "validate: %s: %s\n", path, tfs_error_text(err));
    return err;
}

static int files_add(struct file_list *list, const char *path, const char *name)
{
    int err;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct validate_file **grown;

        if (list->count >= FILE_COUNT_MAX)
            return -EMFILE;
        grown = realloc(list->files, capacity * sizeof(struct validate_file *));
        if (!grown)
            return -ENOMEM;
        list->files = grown;
        list->capacity = capacity;
    }
    err = validate_file_new(path, name, &list->files[list->count]);
    if (err == 0)
        list->count++;
    return err;
}

/* A cache of a hub keeps files under names that are hashes, with links that bear their names. */
static bool says_more(const char *name, const char *than)
{
    return strchr(sibling_base(name), '.') && !strchr(sibling_base(than), '.');
}

/* Such a file is checked in each of its folders: what it names lies beside it. */
static bool tells_of_others(const char *name)
{
    return sibling_ends_with(name, ".index.json") || strcmp(sibling_base(name), ".metadata") == 0;
}

static int regular_add(struct file_list *list, const struct stat *status, const char *path,
                       const char *name)
{
    void *known = NULL;
    int err = files_add(list, path, name);
    int found;

    if (err < 0)
        return err;
    list->files[list->count - 1]->is_below = true;
    list->met_count++;
    found = inode_set_add(&list->inodes, status->st_dev, status->st_ino,
                          list->files[list->count - 1], &known);
    if (found <= 0 || list->has_every_name)
        return found < 0 ? found : 0;
    if (tells_of_others(name) && tells_of_others(((struct validate_file *)known)->name))
        return 0;
    if (says_more(name, ((struct validate_file *)known)->name))
        validate_file_swap_names(known, list->files[list->count - 1]);
    validate_file_free(list->files[--list->count]);
    return 0;
}

static int links_add(struct link_list *links, const char *path)
{
    if (links->count == links->capacity) {
        size_t capacity = links->capacity ? 2 * links->capacity : 64;
        char **grown;

        if (links->count >= FILE_COUNT_MAX)
            return -EMFILE;
        grown = realloc(links->paths, capacity * sizeof(char *));
        if (!grown)
            return -ENOMEM;
        links->paths = grown;
        links->capacity = capacity;
    }
    links->paths[links->count] = strdup(path);
    return links->paths[links->count++] ? 0 : -ENOMEM;
}

static void links_release(struct link_list *links)
{
    for (size_t i = 0; i < links->count; i++)
        free(links->paths[i]);
    free(links->paths);
}

/* The path inside the directory that was named. */
static const char *name_in(const char *directory, const char *path)
{
    const char *name = path + strlen(directory);

    while (*name == '/')
        name++;
    return name;
}

static int entry_add(struct file_list *list, struct link_list *links, const char *directory,
                     const FTSENT *entry)
{
    void *unused;
    int known;

    switch (entry->fts_info) {
    case FTS_F:
        return regular_add(list, entry->fts_statp, entry->fts_path,
                           name_in(directory, entry->fts_path));
    case FTS_SL:
    case FTS_SLNONE:
        return links_add(links, entry->fts_path);
    case FTS_D:
        known = inode_set_add(&list->directories, entry->fts_statp->st_dev,
                              entry->fts_statp->st_ino, NULL, &unused);
        return known < 0 ? known : 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return -entry->fts_errno;
    default:
        return 0; /* what is neither file nor directory holds no tensors */
    }
}

static int name_compare(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int tree_walk(struct file_list *list, struct link_list *links, char *directory)
{
    char *roots[] = {directory, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, name_compare);
    FTSENT *entry;
    int err = 0;

    if (!tree)
        return -errno;
    while (err == 0 && (errno = 0, entry = fts_read(tree)) != NULL)
        err = interrupt_is_pending() ? -EINTR : entry_add(list, links, directory, entry);
    if (err == 0 && errno != 0)
        err = -errno;      /* the walk ended before the tree did */
    (void)fts_close(tree); /* its memory only */
    return err;
}

static int directory_link_note(struct file_list *list, const struct stat *status, const char *path)
{
    void *unused;
    int known = inode_set_add(&list->directories, status->st_dev, status->st_ino, NULL, &unused);

    if (known == 0)
        (void)fprintf(stderr,
                      "validate: %s leads to another directory, which is not looked into; "
                      "name it to have it checked\n",
                      path);
    return known < 0 ? known : 0;
}

static int link_follow(struct file_list *list, const char *directory, const char *path)
{
    struct stat status;
    bool leads_nowhere = stat(path, &status) < 0;

    if (interrupt_is_pending())
        return -EINTR;
    if (!leads_nowhere && S_ISDIR(status.st_mode))
        return directory_link_note(list, &status, path);
    list->met_count += leads_nowhere;
    if (leads_nowhere)
        return files_add(list, path, name_in(directory, path)); /* opening it will say why not */
    return S_ISREG(status.st_mode) ? regular_add(list, &status, path, name_in(directory, path)) : 0;
}

/* A directory's entries stand together. */
static int rank(char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 1;
}

/* The order of the walk: that of the names, one after the other. */
static int path_compare(const void *a, const void *b)
{
    const char *left = (*(struct validate_file *const *)a)->path;
    const char *right = (*(struct validate_file *const *)b)->path;

    while (*left && *left == *right) {
        left++;
        right++;
    }
    return rank(*left) - rank(*right);
}

static int directory_add(struct file_list *list, char *directory)
{
    const size_t first = list->count;
    struct link_list links = {0};
    int err = tree_walk(list, &links, directory);

    for (size_t i = 0; err == 0 && i < links.count; i++)
        err = link_follow(list, directory, links.paths[i]);
    if (err == 0 && links.count > 0 && list->count > first)
        qsort(list->files + first, list->count - first, sizeof(*list->files), path_compare);
    links_release(&links);
    return err;
}

static int operand_add(struct file_list *list, char *path, bool may_be_empty)
{
    const size_t met_count = list->met_count;
    struct stat status;
    int err;

    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
        err = files_add(list, path, sibling_base(path));
        return err < 0 ? complain(err, path) : 0;
    }
    list->has_directory = true;
    err = directory_add(list, path);
    if (err < 0)
        return complain(err, path);
    if (list->met_count > met_count || may_be_empty)
        return 0;
    (void)fprintf(stderr, "validate: %s: nothing to check: there are no files in it\n", path);
    return -ENOENT;
}

int file_list_find(const struct validate_options *options, struct file_list *list)
{
    *list = (struct file_list){.has_every_name = options->copy_directory || options->manifest ||
                                                 options->write_manifest};
    for (size_t i = 0; i < options->path_count; i++) {
        int err =
            operand_add(list, options->paths[i], options->manifest && options->manifest->count > 0);

        if (err < 0)
            return err;
    }
    return 0;
}
