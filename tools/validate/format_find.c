/*
 * What a file is, told from what is in it; and, where that says nothing, from its name
 * (format_name.h).
 */
#include "formats/format.h"
#include "tools/validate/format_name.h"

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

static const char *format_of(const uint8_t *head, size_t size)
{
    if (size >= 6 && memcmp(head, "\x93NUMPY", 6) == 0)
        return "npy";
    if (size >= 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0))
        return "zip";
    if (size >= 4 && memcmp(head, "GGUF", 4) == 0)
        return "gguf";
    if (format_is_torch_legacy(head, size))
        return "torch";
    return is_safetensors(head, size) ? "safetensors" : "raw";
}

static int tensors_parse(const struct format_source *source, const char *name,
                         struct tensor_list *list)
{
    uint8_t head[HEAD_BYTES] = {0};
    size_t head_size = (size_t)tfs_min_u64(sizeof(head), source->size);
    int err = format_read(source, list, 0, head, head_size);

    if (err < 0)
        return err;
    list->format = format_of(head, head_size);
    err = format_name_check(source, name, list);
    if (err < 0)
        return err;
    if (strcmp(list->format, "safetensors") == 0)
        return format_find_safetensors(source, list);
    if (strcmp(list->format, "zip") == 0)
        return format_find_zip(source, list);
    if (strcmp(list->format, "torch") == 0)
        return format_find_torch_legacy(source, list);
    if (strcmp(list->format, "gguf") == 0)
        return format_find_gguf(source, list);
    if (strcmp(list->format, "npy") == 0)
        return format_find_npy(source, 0, source->size, "array", list);
    return 0;
}

int format_find_tensors(const struct format_source *source, const char *name,
                        struct tensor_list *list)
{
    char reason[sizeof(list->reason)];
    const char *format;
    int err;

    format_list_init(list);
    err = tensors_parse(source, name, list);
    if (err == 0)
        err = format_list_finish(list, source->size);
    if (err == 0)
        return 0;
    memcpy(reason, list->reason, sizeof(reason));
    format = list->format;
    format_list_release(list);
    memcpy(list->reason, reason, sizeof(reason));
    list->format = format;
    return err;
}
