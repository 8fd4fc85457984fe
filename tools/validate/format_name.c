/*
 * Names with a row in the table are those that one library alone writes and reads; others, .bin
 * among them, say too little.
 */
#include "tools/validate/format_name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEAD_BYTES = 512 };

struct name_row {
    const char *beginning; /* of the base name */
    const char *ending;
    const char *format;
    bool is_strict; /* content of no known format is refused, and not only what is surely wrong */
    bool may_be_empty; /* a rank that has nothing to save writes an empty file */
};

static const struct name_row names[] = {
    {"", ".safetensors", "safetensors", true, false},
    {"", ".gguf", "gguf", true, false},
    {"", ".npy", "npy", true, false},
    {"", ".npz", "zip", true, false},
    {"", ".pt", "torch", true, false},
    {"", ".pth", "torch", false, false},
    {"", ".ckpt", "torch", false, false},
    {"", ".distcp", "torch", false, true},
    {"pytorch_model", ".bin", "torch", false, false},
    {"diffusion_pytorch_model", ".bin", "torch", false, false},
    {"adapter_model", ".bin", "torch", false, false},
};

static const struct name_row *name_find(const char *name)
{
    const char *slash = name ? strrchr(name, '/') : NULL;
    const char *base = slash ? slash + 1 : name;

    for (size_t i = 0; base && i < TFS_ARRAY_COUNT(names); i++) {
        size_t begin_size = strlen(names[i].beginning);
        size_t end_size = strlen(names[i].ending);
        size_t size = strlen(base);

        if (size >= begin_size + end_size &&
            strncasecmp(base, names[i].beginning, begin_size) == 0 &&
            strcasecmp(base + size - end_size, names[i].ending) == 0)
            return &names[i];
    }
    return NULL;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncasecmp(text, beginning, strlen(beginning)) == 0;
}

/* What takes a file's place when it could not be had; NULL when the head looks like none of it. */
static const char *substitute_of(const char *head, size_t size)
{
    const char *text = head + strspn(head, " \t\r\n");

    if (begins_with(head, "version https://git-lfs.github.com/"))
        return "a pointer of git LFS in place of the file";
    if (begins_with(text, "<!doctype html") || begins_with(text, "<html"))
        return "a page of HTML in place of the file";
    if (begins_with(text, "<?xml"))
        return "a text of XML in place of the file";
    for (size_t i = 0; i < size; i++) {
        if (head[i] != '\0')
            return NULL;
    }
    return "zeros in place of the file";
}

static int malformed(const struct name_row *row, struct tensor_list *list, const char *what)
{
    if (row)
        list->format = row->format;
    return tensor_list_malformed(list, "%s", what);
}

/* Some put a bare pickle there, which ends with its last operation. */
static int pickle_check(const struct format_source *source, const struct name_row *row,
                        struct tensor_list *list)
{
    char last;
    int err = tensor_list_read(list, source, source->size - 1, &last, 1);

    if (err < 0)
        return err;
    return last == '.' ? 0 : malformed(row, list, "a pickle that is cut off");
}

/* The content is of no format that is known. */
static int raw_check(const struct format_source *source, const struct name_row *row,
                     struct tensor_list *list)
{
    char head[HEAD_BYTES + 1] = {0};
    size_t size = (size_t)tfs_min_u64(HEAD_BYTES, source->size);
    const char *substitute;
    int err = tensor_list_read(list, source, 0, head, size);

    if (err < 0)
        return err;
    substitute = size > 0 ? substitute_of(head, size) : NULL;
    if (substitute && begins_with(substitute, "a pointer"))
        return malformed(row, list, substitute); /* whatever it is called */
    if (!row)
        return 0;
    if (size == 0)
        return row->may_be_empty ? 0 : malformed(row, list, "the file is empty");
    if (substitute)
        return malformed(row, list, substitute);
    if (strcmp(row->format, "safetensors") == 0)
        list->format = row->format;
    else if (row->is_strict && head[0] != '\x80')
        return malformed(row, list, "nothing that the library named by its ending reads");
    else if (row->is_strict)
        return pickle_check(source, row, list);
    return 0;
}

int format_name_check(const struct format_source *source, const char *name,
                      struct tensor_list *list)
{
    const struct name_row *row = name_find(name);

    if (strcmp(list->format, "raw") == 0)
        return raw_check(source, row, list);
    if (row && (strcmp(row->format, "safetensors") == 0 || strcmp(row->format, "gguf") == 0) &&
        strcmp(list->format, row->format) != 0) {
        const char *found = list->format;

        list->format = row->format;
        return tensor_list_malformed(list, "it is a file of %s", found);
    }
    return 0;
}
