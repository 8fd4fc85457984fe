/*
 * What a file is, told from what is in it, and the parser for it.
 */
#include "formats/tensors.h"

#include "formats/gguf.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "formats/torch_legacy.h"
#include "formats/zip.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <string.h>

enum { HEAD_BYTES = 64 };

/* safetensors has no magic number but a JSON object behind its length, maybe behind white space. */
static bool is_safetensors(const uint8_t *head, size_t size)
{
    size_t at = 8;

    while (at < size && strchr(" \t\r\n", head[at]) && head[at] != '\0')
        at++;
    return size >= 10 && at < size && head[at] == '{' &&
           tfs_get_le64(head) <= FORMAT_HEADER_BYTES_MAX;
}

static bool is_npy(const uint8_t *head, size_t size)
{
    return size >= 6 && memcmp(head, "\x93NUMPY", 6) == 0;
}

static bool is_zip(const uint8_t *head, size_t size)
{
    return size >= 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0);
}

static bool is_gguf(const uint8_t *head, size_t size)
{
    return size >= 4 && memcmp(head, "GGUF", 4) == 0;
}

static int npy_file_find(const struct format_source *source, struct tensor_list *list)
{
    return npy_find(source, 0, source->size, "array", list);
}

struct format_row {
    const char *name;
    bool (*matches)(const uint8_t *head, size_t size);
    int (*find)(const struct format_source *source, struct tensor_list *list);
};

/* safetensors last, as it has the least to be known by. */
static const struct format_row formats[] = {
    {"npy", is_npy, npy_file_find},
    {"zip", is_zip, zip_find},
    {"gguf", is_gguf, gguf_find},
    {"torch", torch_legacy_matches, torch_legacy_find},
    {"safetensors", is_safetensors, safetensors_find},
};

int tensors_recognise(const struct format_source *source, struct tensor_list *list)
{
    uint8_t head[HEAD_BYTES] = {0};
    size_t head_size = (size_t)tfs_min_u64(sizeof(head), source->size);
    int err = tensor_list_read(list, source, 0, head, head_size);

    if (err < 0)
        return err;
    list->format = "raw";
    for (size_t i = 0; i < TFS_ARRAY_COUNT(formats); i++) {
        if (formats[i].matches(head, head_size)) {
            list->format = formats[i].name;
            break;
        }
    }
    return 0;
}

/* Empty the list, but leave what it says of the file. */
static void list_clear(struct tensor_list *list)
{
    char reason[sizeof(list->reason)];
    const char *format = list->format;

    memcpy(reason, list->reason, sizeof(reason));
    tensor_list_release(list);
    memcpy(list->reason, reason, sizeof(reason));
    list->format = format;
}

int tensors_parse(const struct format_source *source, struct tensor_list *list)
{
    int err = 0;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(formats); i++) {
        if (strcmp(list->format, formats[i].name) == 0) {
            err = formats[i].find(source, list);
            break;
        }
    }
    if (err == 0)
        err = tensor_list_finish(list, source->size);
    if (err < 0)
        list_clear(list);
    return err;
}

int tensors_find(const struct format_source *source, struct tensor_list *ret)
{
    int err;

    tensor_list_init(ret);
    err = tensors_recognise(source, ret);
    return err < 0 ? err : tensors_parse(source, ret);
}
