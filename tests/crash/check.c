/*
 * The check after a crash: every file against the record.
 *
 * A saver was somewhere between two acknowledgements. What was acknowledged must be there whole;
 * what was under way may be there, whole or as much as its way of saving allows; a byte that
 * belongs to no version that the record knows is wrong.
 */
#include "tests/crash/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { path_bytes = 512, header_words = 4 };

struct check {
    struct crash_record *record;
    struct crash_findings found;
};

/* A file as it was found; bytes is NULL when there is none. */
struct content {
    char path[path_bytes];
    uint8_t *bytes;
    size_t size;
};

static void wrong(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void wrong(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("WRONG: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    check->found.wrong++;
}

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void read_bytes(struct check *check, int fd, struct content *ret)
{
    struct stat seen;
    size_t done = 0;
    ssize_t count = 1;

    if (fstat(fd, &seen) == -1)
        die(ret->path);
    ret->bytes = malloc((size_t)seen.st_size + 1);
    if (!ret->bytes)
        die("malloc");
    while (count > 0 && done < (size_t)seen.st_size) {
        count = pread(fd, ret->bytes + done, (size_t)seen.st_size - done, (off_t)done);
        done += count > 0 ? (size_t)count : 0;
    }
    if (done != (size_t)seen.st_size)
        wrong(check, "%s: read ends at %zu of %lld bytes: %s", ret->path, done,
              (long long)seen.st_size, count == -1 ? strerror(errno) : "end of file");
    ret->size = done;
}

/* An error other than that the file is missing is wrong, and leaves it missing. */
static void load(struct check *check, struct content *ret, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void load(struct check *check, struct content *ret, const char *format, ...)
{
    va_list arguments;
    int fd;

    va_start(arguments, format);
    (void)vsnprintf(ret->path, sizeof(ret->path), format, arguments);
    va_end(arguments);
    ret->bytes = NULL;
    ret->size = 0;
    fd = open(ret->path, O_RDONLY);
    if (fd == -1) {
        if (errno != ENOENT)
            wrong(check, "%s: open: %s", ret->path, strerror(errno));
        return;
    }
    read_bytes(check, fd, ret);
    (void)close(fd);
}

/* The version that a block's header claims, 0 when there is no whole header or a hole. */
static uint64_t claimed_version(const struct content *content, size_t offset)
{
    uint64_t header[header_words];

    if (content->size < offset + sizeof(header))
        return 0;
    memcpy(header, content->bytes + offset, sizeof(header));
    return header[2];
}

/* The version that the first block which is no hole claims; 0: none does. */
static uint64_t first_claim(const struct content *content)
{
    uint64_t version = 0;

    for (size_t at = 0; at < content->size && version == 0; at += crash_block)
        version = claimed_version(content, at);
    return version;
}

/* How many bytes from the start equal this version. */
static size_t matching_prefix(const struct content *content, uint64_t file, uint64_t version)
{
    uint8_t wanted[crash_block];

    for (size_t at = 0; at < content->size; at += crash_block) {
        size_t size = content->size - at < crash_block ? content->size - at : crash_block;

        crash_content(file, version, at, wanted, size);
        if (memcmp(content->bytes + at, wanted, size) == 0)
            continue;
        for (size_t i = 0; i < size; i++) {
            if (content->bytes[at + i] != wanted[i])
                return at + i;
        }
    }
    return content->size;
}

enum shape { shape_whole, shape_prefix, shape_holes };

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Right bytes or zeros, and no mixture inside of a block of 4 KiB. */
static bool matches_but_for_holes(const struct content *content, uint64_t file, uint64_t version)
{
    uint8_t wanted[crash_block];

    for (size_t at = 0; at < content->size; at += crash_block) {
        size_t size = content->size - at < crash_block ? content->size - at : crash_block;

        crash_content(file, version, at, wanted, size);
        /* A write of odd length may end inside of the block. */
        for (size_t i = 0; i < size; i++) {
            if (content->bytes[at + i] != wanted[i] && content->bytes[at + i] != 0)
                return false;
        }
        if (memcmp(content->bytes + at, wanted, size) != 0 &&
            !is_zero(content->bytes + at + size - 1, 1) && !is_zero(content->bytes + at, 1))
            return false;
    }
    return true;
}

static bool has_shape(const struct content *content, uint64_t file, uint64_t version,
                      enum shape shape)
{
    if (shape == shape_holes)
        return matches_but_for_holes(content, file, version);
    if (matching_prefix(content, file, version) != content->size)
        return false;
    return shape == shape_prefix || content->size == crash_size(file, version);
}

/* Says what is there instead of what should be. */
static void tell_content(struct check *check, const struct content *content, uint64_t file,
                         const struct crash_slot *slot)
{
    uint64_t version = first_claim(content);

    wrong(check,
          "%s: %zu bytes, versions %llu (acknowledged) to %llu (attempted); its head claims "
          "version %llu, which matches %zu bytes and has %zu",
          content->path, content->size, (unsigned long long)slot->acked,
          (unsigned long long)slot->attempted, (unsigned long long)version,
          matching_prefix(content, file, version), crash_size(file, version));
}

/*
 * The file is the acknowledged version whole, or a later attempted one in the given shape. Nothing
 * is acceptable only where nothing was acknowledged.
 */
static void check_versions(struct check *check, const struct content *content, uint64_t file,
                           const struct crash_slot *slot, enum shape shape)
{
    uint64_t acked = slot->acked;
    uint64_t version = first_claim(content);

    if (!content->bytes) {
        if (acked > 0)
            wrong(check, "%s is missing, version %llu was acknowledged", content->path,
                  (unsigned long long)acked);
        return;
    }
    if (acked > 0 && has_shape(content, file, acked, shape_whole)) {
        check->found.acknowledged++;
        return;
    }
    /* Too short for a claim: any version will do that it can be a piece of. */
    if (version == 0)
        for (version = slot->attempted; version > acked; version--)
            if (has_shape(content, file, version, shape))
                break;
    if (version <= acked || version > slot->attempted ||
        !has_shape(content, file, version, shape)) {
        tell_content(check, content, file, slot);
        return;
    }
    check->found.acknowledged += acked > 0;
    check->found.pending++;
}

/* A temporary file may hold any attempted version, or be gone. */
static void check_temporary(struct check *check, const struct content *content, uint64_t file,
                            const struct crash_slot *slot, enum shape shape)
{
    struct crash_slot any = {.attempted = (uint64_t)slot->attempted, .acked = 0};

    if (content->bytes)
        check_versions(check, content, file, &any, shape);
}

static void check_checkpoints(struct check *check)
{
    struct content content;

    for (unsigned i = 0; i < crash_checkpoints; i++) {
        struct crash_slot *torch = &check->record->torch[i];
        struct crash_slot *tensors = &check->record->safetensors[i];

        load(check, &content, "torch-%u.pt", i);
        check_versions(check, &content, crash_file_torch + i, torch, shape_whole);
        free(content.bytes);
        load(check, &content, "torch-%u.tmp", i);
        check_temporary(check, &content, crash_file_torch + i, torch, shape_prefix);
        free(content.bytes);
        load(check, &content, "model-%u.safetensors", i);
        check_versions(check, &content, crash_file_safetensors + i, tensors, shape_whole);
        free(content.bytes);
        load(check, &content, "model-%u.tmp", i);
        check_temporary(check, &content, crash_file_safetensors + i, tensors, shape_holes);
        free(content.bytes);
    }
}

static void check_latest(struct check *check)
{
    struct crash_slot *slot = &check->record->latest;
    unsigned long long version = 0;
    char target[64] = "";

    if (readlink("latest", target, sizeof(target) - 1) == -1 &&
        (errno != ENOENT || slot->acked > 0)) {
        wrong(check, "latest: %s", strerror(errno));
        return;
    }
    if (target[0] && (sscanf(target, "version-%llu", &version) != 1 || version < slot->acked ||
                      version > slot->attempted))
        wrong(check, "latest leads to '%s', acknowledged %llu, attempted %llu", target,
              (unsigned long long)slot->acked, (unsigned long long)slot->attempted);
    check->found.acknowledged += slot->acked > 0;
}

static void check_logs(struct check *check)
{
    for (int i = 0; i < crash_logs; i++) {
        struct crash_log *log = &check->record->logs[i];
        struct content content;
        size_t prefix;

        if (log->number == 0)
            continue;
        load(check, &content, "log-%llu", (unsigned long long)log->number);
        prefix = content.bytes ? matching_prefix(&content, crash_file_log, log->number) : 0;
        if (content.size < log->bytes.acked || content.size > log->bytes.attempted ||
            prefix != content.size)
            wrong(check, "%s: %zu bytes, %zu of them right, acknowledged %llu, attempted %llu",
                  content.path, content.size, prefix, (unsigned long long)log->bytes.acked,
                  (unsigned long long)log->bytes.attempted);
        check->found.acknowledged += log->bytes.acked > 0;
        check->found.pending += content.size > log->bytes.acked;
        free(content.bytes);
    }
}

static void check_block(struct check *check, const struct content *content, uint64_t index)
{
    struct crash_slot *slot = &check->record->in_place[index];
    size_t offset = index * crash_block;
    uint8_t wanted[crash_block];
    uint64_t version;

    if (content->size < offset + crash_block) {
        if (slot->acked > 0)
            wrong(check, "%s: block %llu lies beyond the end at %zu", content->path,
                  (unsigned long long)index, content->size);
        return;
    }
    version = claimed_version(content, offset);
    crash_content(crash_file_in_place, version, offset, wanted, crash_block);
    if (version >= slot->acked && version <= slot->attempted && version > 0 &&
        memcmp(content->bytes + offset, wanted, crash_block) == 0) {
        check->found.acknowledged += slot->acked > 0;
        check->found.pending += version > slot->acked;
    } else if (slot->acked > 0 || !is_zero(content->bytes + offset, crash_block)) {
        wrong(check, "%s: block %llu claims version %llu, acknowledged %llu, attempted %llu",
              content->path, (unsigned long long)index, (unsigned long long)version,
              (unsigned long long)slot->acked, (unsigned long long)slot->attempted);
    }
}

static void check_in_place(struct check *check)
{
    struct content content;

    load(check, &content, "in-place");
    for (uint64_t i = 0; i < crash_blocks; i++)
        check_block(check, &content, i);
    free(content.bytes);
}

/* One file of a step; `must`: it was acknowledged. In even steps only whole files ever get their
 * name. */
static void check_step_file(struct check *check, uint64_t step, unsigned i, bool must)
{
    uint64_t file = crash_file_step + i;
    enum shape shape = must || step % 2 == 0 ? shape_whole : shape_prefix;
    struct content content;

    load(check, &content, "step-%llu/%u", (unsigned long long)step, i);
    if (!content.bytes && must)
        wrong(check, "%s is missing, although it was acknowledged", content.path);
    else if (content.bytes && !has_shape(&content, file, step, shape))
        wrong(check, "%s: %zu bytes, %zu of them right, of %zu, %s", content.path, content.size,
              matching_prefix(&content, file, step), crash_size(file, step),
              must ? "acknowledged" : "not acknowledged");
    else if (content.bytes)
        *(must ? &check->found.acknowledged : &check->found.pending) += 1;
    free(content.bytes);
}

static void check_step(struct check *check, uint64_t step)
{
    struct crash_record *record = check->record;
    bool acked = record->steps_acked[step % crash_steps_checked] == step;
    char path[path_bytes];
    struct stat seen;

    (void)snprintf(path, sizeof(path), "step-%llu", (unsigned long long)step);
    if (record->removed.acked >= step) {
        if (lstat(path, &seen) == 0)
            wrong(check, "%s is back, although its removal was acknowledged", path);
        check->found.acknowledged++;
        return;
    }
    for (unsigned i = 0; i < crash_step_files; i++) {
        bool must = acked || (record->step == step && i < record->step_files);

        check_step_file(check, step, i, must && record->removed.attempted < step);
    }
}

static void check_steps(struct check *check)
{
    uint64_t newest = check->record->step;

    for (uint64_t i = 0; i < crash_steps_checked && i < newest; i++)
        check_step(check, newest - i);
}

static void check_unsynced(struct check *check)
{
    struct content content;

    load(check, &content, "rewrite");
    check_versions(check, &content, crash_file_rewrite, &check->record->rewrite, shape_prefix);
    free(content.bytes);
    for (unsigned i = 0; i < crash_streams; i++) {
        load(check, &content, "stream-%u", i);
        check_temporary(check, &content, crash_file_stream + i, &check->record->streams[i],
                        shape_prefix);
        free(content.bytes);
    }
}

/* A block that several change files by: any version from the acknowledged one on, a hole where one
 * of these is a hole. As long as nothing was acknowledged, any part of the first one. */
static bool is_any_hole(const struct crash_slot *slot)
{
    for (uint64_t version = slot->acked; version <= slot->attempted; version++) {
        if (version == 0 || crash_is_hole(version))
            return true;
    }
    return false;
}

static bool is_part(const uint8_t *found, const uint8_t *wanted)
{
    for (size_t i = 0; i < crash_block; i++) {
        if (found[i] != 0 && found[i] != wanted[i])
            return false;
    }
    return true;
}

static bool shared_block_is_right(const struct content *content, uint64_t file, uint64_t index,
                                  const struct crash_slot *slot)
{
    uint8_t found[crash_block] = {0}, wanted[crash_block];
    size_t offset = index * crash_block;
    uint64_t version = claimed_version(content, offset);

    if (content->size > offset)
        memcpy(found, content->bytes + offset,
               content->size - offset < crash_block ? content->size - offset : crash_block);
    if (is_zero(found, crash_block))
        return is_any_hole(slot);
    if (version > 0 && version >= slot->acked && version <= slot->attempted) {
        crash_block_content(file, version, index, wanted);
        if (memcmp(found, wanted, crash_block) == 0)
            return true;
    }
    crash_block_content(file, 1, index, wanted);
    return slot->acked == 0 && slot->attempted > 0 && is_part(found, wanted);
}

static void check_shared_blocks(struct check *check, const struct content *content, uint64_t file,
                                const struct crash_slot *slots, size_t count)
{
    size_t bad = 0, first = 0;

    for (size_t i = 0; i < count; i++) {
        if (shared_block_is_right(content, file, i, &slots[i])) {
            check->found.acknowledged += slots[i].acked > 0;
            check->found.pending += slots[i].attempted > slots[i].acked;
        } else if (bad++ == 0) {
            first = i;
        }
    }
    if (bad > 0)
        wrong(check,
              "%s: %zu blocks of %zu bytes are wrong, the first is %zu, claims version %llu, "
              "acknowledged %llu, attempted %llu",
              content->path, bad, content->size, first,
              (unsigned long long)claimed_version(content, first * crash_block),
              (unsigned long long)slots[first].acked, (unsigned long long)slots[first].attempted);
}

static void check_shared(struct check *check)
{
    struct crash_shared *shared = &check->record->shared;
    struct content content = {.bytes = NULL};
    char name[crash_name_bytes];

    if (shared->generation == 0)
        return;
    for (uint64_t renames = shared->renames.acked;
         renames <= shared->renames.attempted && !content.bytes; renames++) {
        crash_shared_name(shared->generation, renames, name);
        load(check, &content, "%s", name);
    }
    if (content.bytes)
        check_shared_blocks(check, &content, crash_shared_file(shared->generation), shared->blocks,
                            crash_shared_blocks);
    else
        wrong(check, "%s is missing", content.path);
    free(content.bytes);
}

static void check_cut_file(struct check *check, const char *path, const struct crash_slot *slots)
{
    struct content content;

    load(check, &content, "%s", path);
    if (content.bytes)
        check_shared_blocks(check, &content, crash_file_cut, slots, crash_cut_blocks);
    else if (slots[0].acked > 0)
        wrong(check, "%s is missing", path);
    free(content.bytes);
}

void crash_check(struct crash_record *record, struct crash_findings *ret)
{
    struct check check = {.record = record};

    check_checkpoints(&check);
    check_latest(&check);
    check_logs(&check);
    check_in_place(&check);
    check_steps(&check);
    check_unsynced(&check);
    check_shared(&check);
    check_cut_file(&check, "cut", check.record->cut);
    check_cut_file(&check, "copied", check.record->copied);
    *ret = check.found;
}
