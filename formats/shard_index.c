/*
 * Names with a zero in them are none of a file, and are refused as such.
 */
#include "formats/shard_index.h"

#include "formats/json_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_COUNT_MAX (1u << 20)

struct reader {
    struct json_reader json;
    char *word; /* as long as the text */
    size_t word_capacity;
    struct shard_index index;
    bool has_map;
    const char *reason;
};

void shard_index_release(struct shard_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        free(index->entries[i].tensor);
        free(index->entries[i].file);
    }
    free(index->entries);
    memset(index, 0, sizeof(*index));
}

static int refuse(struct reader *reader, const char *reason)
{
    reader->reason = reason;
    return -EUCLEAN;
}

static int word_take(struct reader *reader, char **ret)
{
    size_t size;

    if (json_reader_string(&reader->json, reader->word, reader->word_capacity, &size) < 0)
        return refuse(reader, "no string where one should be");
    if (memchr(reader->word, '\0', size))
        return refuse(reader, "a zero in a name");
    *ret = strndup(reader->word, size);
    return *ret ? 0 : -ENOMEM;
}

static int entry_room(struct reader *reader)
{
    struct shard_index *index = &reader->index;
    size_t capacity = index->capacity ? 2 * index->capacity : 64;
    struct shard_entry *grown;

    if (index->count < index->capacity)
        return 0;
    if (index->count >= ENTRY_COUNT_MAX)
        return refuse(reader, "too many tensors");
    grown = realloc(index->entries, capacity * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    index->entries = grown;
    index->capacity = capacity;
    return 0;
}

static int entry_take(struct reader *reader)
{
    struct shard_entry entry = {.tensor = NULL};
    int err = entry_room(reader);

    if (err == 0)
        err = word_take(reader, &entry.tensor);
    if (err == 0 && !json_reader_take(&reader->json, ':'))
        err = refuse(reader, "no ':' where one should be");
    if (err == 0)
        err = word_take(reader, &entry.file);
    if (err < 0) {
        free(entry.tensor);
        return err;
    }
    reader->index.entries[reader->index.count++] = entry;
    return 0;
}

static int map_take(struct reader *reader)
{
    if (reader->has_map)
        return refuse(reader, "weight_map twice");
    reader->has_map = true;
    if (!json_reader_take(&reader->json, '{'))
        return refuse(reader, "weight_map is no object");
    if (json_reader_take(&reader->json, '}'))
        return 0;
    do {
        int err = entry_take(reader);

        if (err < 0)
            return err;
    } while (json_reader_take(&reader->json, ','));
    return json_reader_take(&reader->json, '}') ? 0 : refuse(reader, "weight_map has no end");
}

static int member_take(struct reader *reader)
{
    char *key = NULL;
    bool is_map;
    int err = word_take(reader, &key);

    if (err < 0)
        return err;
    is_map = strcmp(key, "weight_map") == 0;
    free(key);
    if (!json_reader_take(&reader->json, ':'))
        return refuse(reader, "no ':' where one should be");
    if (is_map)
        return map_take(reader);
    return json_reader_skip(&reader->json) < 0 ? refuse(reader, "a value that is none") : 0;
}

static int object_take(struct reader *reader)
{
    if (!json_reader_take(&reader->json, '{'))
        return refuse(reader, "no object");
    if (!json_reader_take(&reader->json, '}')) {
        do {
            int err = member_take(reader);

            if (err < 0)
                return err;
        } while (json_reader_take(&reader->json, ','));
        if (!json_reader_take(&reader->json, '}'))
            return refuse(reader, "no end");
    }
    if (json_reader_peek(&reader->json) != '\0' || reader->json.at != reader->json.end)
        return refuse(reader, "something behind the end");
    return reader->has_map ? 0 : refuse(reader, "no weight_map");
}

static int entry_compare(const void *a, const void *b)
{
    const struct shard_entry *left = a;
    const struct shard_entry *right = b;
    int order = strcmp(left->file, right->file);

    return order ? order : strcmp(left->tensor, right->tensor);
}

int shard_index_read(const char *text, size_t size, struct shard_index *ret,
                     const char **ret_reason)
{
    struct reader reader = {
        .json = {text, text + size}, .word = malloc(size + 1), .word_capacity = size};
    int err = reader.word ? object_take(&reader) : -ENOMEM;

    free(reader.word);
    if (err < 0) {
        shard_index_release(&reader.index);
        *ret_reason = reader.reason;
        return err;
    }
    if (reader.index.count > 0)
        qsort(reader.index.entries, reader.index.count, sizeof(*reader.index.entries),
              entry_compare);
    *ret = reader.index;
    return 0;
}
