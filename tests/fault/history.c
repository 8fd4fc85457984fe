/*
 * Follows the journal record by record with the table of open files and the names as the daemon saw
 * them, and sorts the changes by file and by name.
 *
 * Few hundred names and files, some ten thousand records: arrays and linear searches will do.
 */
#include "tests/fault/history.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { descriptors_max = 4096, path_bytes = 4096 };

struct open_file {
    int file;      /* history_no_file: a directory */
    int directory; /* when it is one */
    bool open;
};

struct reader {
    struct history *history;
    struct history_name *live; /* names as the daemon sees them */
    size_t live_count;
    struct open_file open[descriptors_max];
};

_Noreturn void history_die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void *grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, (count + 1) * size);

    if (!grown)
        history_die("realloc");
    return grown;
}

static char *copy(const char *text)
{
    char *copied = strdup(text);

    if (!copied)
        history_die("strdup");
    return copied;
}

int history_find(const struct history_name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, name) == 0)
            return names[i].file;
    }
    return history_missing;
}

void history_remove(struct history_name *names, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i].name, name) != 0)
            continue;
        free(names[i].name);
        names[i] = names[--*count];
        return;
    }
}

void history_set(struct history_name **names, size_t *count, const char *name, int file)
{
    history_remove(*names, count, name);
    *names = grow(*names, *count, sizeof(**names));
    (*names)[(*count)++] = (struct history_name){.name = copy(name), .file = file};
}

static int find_directory(struct history *history, const char *name)
{
    struct history_directory *added;

    for (size_t i = 0; i < history->directory_count; i++) {
        if (strcmp(history->directories[i].name, name) == 0)
            return (int)i;
    }
    history->directories =
        grow(history->directories, history->directory_count, sizeof(*history->directories));
    added = &history->directories[history->directory_count];
    *added = (struct history_directory){.name = copy(name)};
    return (int)history->directory_count++;
}

static int parent_of(struct history *history, const char *name)
{
    char parent[path_bytes];
    const char *slash = strrchr(name, '/');

    (void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - name) : 0, name);
    return find_directory(history, parent);
}

static int add_file(struct history *history, const char *base_name)
{
    history->files = grow(history->files, history->file_count, sizeof(*history->files));
    history->files[history->file_count] =
        (struct history_file){.base_name = base_name ? copy(base_name) : NULL};
    return (int)history->file_count++;
}

static void read_base(struct history *history, const char *base, const char *below)
{
    char path[2 * path_bytes], name[path_bytes];
    struct dirent *entry;
    struct stat seen;
    DIR *stream;

    (void)snprintf(path, sizeof(path), "%s/%s", base, below);
    stream = opendir(path);
    if (!stream)
        history_die(path);
    while ((entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "", entry->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", base, name);
        if (lstat(path, &seen) == -1)
            history_die(path);
        history_set(&history->names, &history->name_count, name,
                    S_ISDIR(seen.st_mode) ? history_no_file : add_file(history, name));
        if (S_ISDIR(seen.st_mode))
            read_base(history, base, name);
    }
    (void)closedir(stream);
}

static void note_name(struct history *history, struct history_name_change change)
{
    change.directory = parent_of(history, change.name);
    change.name = copy(change.name);
    change.from = change.from ? copy(change.from) : NULL;
    history->name_changes =
        grow(history->name_changes, history->name_change_count, sizeof(*history->name_changes));
    history->name_changes[history->name_change_count++] = change;
}

static void follow_open(struct reader *reader, const struct fault_record *record, const char *name,
                        uint64_t number)
{
    struct history *history = reader->history;
    struct open_file *opened = &reader->open[record->fd];
    int file = *name ? history_find(reader->live, reader->live_count, name) : history_no_file;

    if (record->offset) { /* it was made */
        file = add_file(history, NULL);
        history_set(&reader->live, &reader->live_count, name, file);
        note_name(history, (struct history_name_change){
                               .number = number, .name = (char *)(uintptr_t)name, .file = file});
    }
    *opened = (struct open_file){.open = file != history_missing, .file = file};
    if (file == history_no_file)
        opened->directory = find_directory(history, name);
}

static void follow_name(struct reader *reader, const struct fault_record *record, const char *name,
                        uint64_t number)
{
    struct history_name_change change = {
        .number = number, .name = (char *)(uintptr_t)name, .file = history_no_file};
    const char *second = name + strlen(name) + 1;

    switch (record->kind) {
    case fault_record_rename:
    case fault_record_link:
        change.file = history_find(reader->live, reader->live_count, name);
        change.name = (char *)(uintptr_t)second;
        if (record->kind == fault_record_rename)
            change.from = (char *)(uintptr_t)name;
        break;
    case fault_record_unlink:
    case fault_record_rmdir:
        change.file = history_find(reader->live, reader->live_count, name);
        change.removal = true;
        break;
    default:
        break;
    }
    if (change.file == history_missing)
        return; /* made by a call that the layer does not see: nothing of it would survive */
    note_name(reader->history, change);
    if (change.from)
        history_remove(reader->live, &reader->live_count, change.from);
    if (change.removal)
        history_remove(reader->live, &reader->live_count, change.name);
    else
        history_set(&reader->live, &reader->live_count, change.name, change.file);
}

static void follow_change(struct reader *reader, const struct fault_record *record,
                          const uint8_t *payload, uint64_t number)
{
    struct open_file *opened = &reader->open[record->fd];
    struct history_file *file;

    if (!opened->open)
        return;
    if (opened->file == history_no_file) {
        if (record->kind == fault_record_sync)
            reader->history->directories[opened->directory].synced = record->offset;
        return;
    }
    file = &reader->history->files[opened->file];
    if (record->kind == fault_record_sync) {
        file->synced = record->offset;
        return;
    }
    if (file->count == file->capacity) {
        file->capacity = 2 * file->capacity + 16;
        file->changes = grow(file->changes, file->capacity, sizeof(*file->changes));
    }
    file->changes[file->count++] = (struct history_change){.number = number,
                                                           .kind = record->kind,
                                                           .offset = record->offset,
                                                           .size = record->size,
                                                           .data = payload};
}

static void follow(struct reader *reader, const struct fault_record *record, const uint8_t *payload,
                   uint64_t number)
{
    const char *name = (const char *)payload;

    switch (record->kind) {
    case fault_record_open:
        follow_open(reader, record, name, number);
        break;
    case fault_record_close:
        reader->open[record->fd].open = false;
        break;
    case fault_record_write:
    case fault_record_truncate:
    case fault_record_allocate:
    case fault_record_punch:
    case fault_record_sync:
        follow_change(reader, record, payload, number);
        break;
    default:
        follow_name(reader, record, name, number);
    }
}

static const uint8_t *map_journal(const char *path, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat seen;
    void *memory;

    if (fd == -1 || fstat(fd, &seen) == -1)
        history_die(path);
    *ret_size = (size_t)seen.st_size;
    if (*ret_size == 0)
        return NULL;
    memory = mmap(NULL, *ret_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        history_die("mmap of the journal");
    (void)close(fd); /* read-only */
    return memory;
}

void history_read(const char *journal, const char *base, struct history *ret)
{
    static struct reader reader;
    size_t size, at = 0;
    const uint8_t *bytes = map_journal(journal, &size);

    *ret = (struct history){0};
    reader.history = ret;
    (void)find_directory(ret, "");
    read_base(ret, base, "");
    for (size_t i = 0; i < ret->name_count; i++)
        history_set(&reader.live, &reader.live_count, ret->names[i].name, ret->names[i].file);
    while (at + sizeof(struct fault_record) <= size) {
        struct fault_record record;

        memcpy(&record, bytes + at, sizeof(record));
        at += sizeof(record);
        /* What a kill from outside has cut off did not happen. */
        if (record.payload_size > size - at || record.fd >= descriptors_max)
            break;
        follow(&reader, &record, bytes + at, ++ret->end);
        at += record.payload_size;
    }
}
