/*
 * What a folder's names alone say. It is said once, of the first file in the list that it is about.
 */
#include "tools/validate/completeness.h"
#include "tools/validate/sibling.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 5, SHARD_COUNT_MAX = 99999 };

/* "model-00001-of-00002.safetensors" */
struct shard_name {
    const char *base;
    int prefix_size;
    unsigned number;
    unsigned count;
    const char *ending;
};

static bool digits_take(const char *at, unsigned *ret)
{
    char digits[DIGITS + 1];

    for (int i = 0; i < DIGITS; i++) {
        if (!isdigit((unsigned char)at[i]))
            return false;
        digits[i] = at[i];
    }
    digits[DIGITS] = '\0';
    *ret = (unsigned)strtoul(digits, NULL, 10);
    return true;
}

static bool shard_name_parse(const char *path, struct shard_name *ret)
{
    static const char *const endings[] = {".safetensors", ".gguf", ".bin", ".pt", ".pth"};
    struct shard_name name = {.base = sibling_base(path)};
    const char *of = strstr(name.base, "-of-");
    bool is_known = false;

    if (!of || of - name.base < 1 + DIGITS || of[-1 - DIGITS] != '-' ||
        !digits_take(of - DIGITS, &name.number) || !digits_take(of + 4, &name.count))
        return false;
    name.prefix_size = (int)(of - name.base) - 1 - DIGITS;
    name.ending = of + 4 + DIGITS;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(endings); i++)
        is_known |= strcmp(name.ending, endings[i]) == 0;
    if (strcmp(name.ending, ".bin") == 0 && !strstr(name.base, "model"))
        return false; /* anything may be called so */
    *ret = name;
    return is_known && name.count > 0 && name.count <= SHARD_COUNT_MAX;
}

static bool shard_exists(const char *path, const struct shard_name *name, unsigned number)
{
    char shard[NAME_MAX + 1];

    (void)snprintf(shard, sizeof(shard), "%.*s-%05u-of-%05u%s", name->prefix_size, name->base,
                   number, name->count, name->ending);
    return sibling_exists(path, shard);
}

static bool index_exists(const char *path, const struct shard_name *name)
{
    char index[NAME_MAX + 1];

    (void)snprintf(index, sizeof(index), "%.*s%s.index.json", name->prefix_size, name->base,
                   name->ending);
    return sibling_exists(path, index);
}

static void shards_check(struct validate_file *file)
{
    struct shard_name name;
    unsigned first = 1;
    unsigned missing = 0;
    unsigned missing_first = 0;

    if (!shard_name_parse(file->path, &name) || index_exists(file->path, &name))
        return;
    if (shard_exists(file->path, &name, 0))
        first = 0; /* somebody counts from zero */
    for (unsigned i = first; i < name.number; i++) {
        if (shard_exists(file->path, &name, i))
            return; /* that one will tell */
    }
    for (unsigned i = first; i < first + name.count; i++) {
        if (shard_exists(file->path, &name, i))
            continue;
        missing_first = missing++ == 0 ? i : missing_first;
    }
    if (missing > 0)
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                              "%u of %u files of this name are missing, the first number %05u",
                              missing, name.count, missing_first);
}

static bool is_in_folder_of(const char *path, const char *other)
{
    size_t size = (size_t)(sibling_base(path) - path);

    return size == (size_t)(sibling_base(other) - other) && memcmp(path, other, size) == 0;
}

void completeness_check_folders(const struct file_list *list)
{
    const char *distributed = NULL; /* the last one seen */

    for (size_t i = 0; i < list->count; i++) {
        struct validate_file *file = list->files[i];

        if (!file->is_below)
            continue;
        shards_check(file);
        if (!sibling_ends_with(file->path, ".distcp"))
            continue;
        if (!(distributed && is_in_folder_of(file->path, distributed)) &&
            !sibling_exists(file->path, ".metadata"))
            validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                                  "'.metadata', which is written last, is missing beside it");
        distributed = file->path;
    }
}
