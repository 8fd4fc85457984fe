/*
 * Bit rot: one flip in one file of a stored store, again and again. Each is noticed (the store is
 * refused with one line, or a read is EIO and there is a line in the log) or harmless. Never is a
 * byte wrong, something that was synced missing without a word, or the process gone.
 *
 *     bit_rot DIR FLIPS          TFS_TEST_SEED=n repeats a run
 *
 * Two stores take turns: one that was unmounted, and one whose process ended with everything
 * synced. In the second one a flip in the newest log of the index cannot be told from the end of a
 * write that the power cut, which point-in-time recovery stops at: there, and only there, the
 * newest changes may be gone; what is left is right.
 *
 * Debian builds RocksDB with asserts, and RocksDB parses one block of a table, that which names the
 * other blocks, without its checksum. A flip in four bytes of it ends the process with a line about
 * an assertion while the table is opened, which is noticed too; it is counted apart and must be
 * rare.
 *
 * Each flip is read by a process of its own, so that a crash is a result and not the end.
 */
#include "tests/fault/rot_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { files_max = 200, path_bytes = 1024, seconds_max = 60, verdict_count = 5 };

enum kind { kind_segment, kind_log, kind_table, kind_manifest, kind_other, kind_count };
static const char *const kind_names[] = {"segment", "index log", "index table", "index manifest",
                                         "FORMAT, CURRENT, OPTIONS and others"};

struct file {
    char path[path_bytes]; /* relative to the store */
    enum kind kind;
    uint64_t size;
    bool may_end_early; /* as a power cut may leave it */
};

struct store {
    char path[path_bytes];
    enum rot_end end;
    struct file files[files_max];
    size_t file_count;
};

struct flip {
    const struct file *file;
    uint64_t offset;
    uint8_t before, after;
    bool read_only;
};

struct rot {
    const char *directory;
    struct store stores[2];
    uint64_t dice;
    uint64_t counts[kind_count][verdict_count];
    uint64_t asserted; /* see above */
    uint64_t failures;
};

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* SplitMix64: Steele, Lea, Flood, 2014. */
static uint64_t roll(struct rot *rot, uint64_t below)
{
    uint64_t z = (rot->dice += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (z ^ (z >> 31)) % below;
}

static enum kind kind_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (dot && strcmp(dot, ".seg") == 0)
        return kind_segment;
    if (dot && strcmp(dot, ".log") == 0)
        return kind_log;
    if (dot && strcmp(dot, ".sst") == 0)
        return kind_table;
    return strstr(name, "MANIFEST") ? kind_manifest : kind_other;
}

static void list_files(struct store *store, const char *below)
{
    char path[2 * path_bytes];
    struct dirent *entry;
    DIR *stream;

    (void)snprintf(path, sizeof(path), "%s/%s", store->path, below);
    stream = opendir(path);
    if (!stream)
        die(path);
    while ((entry = readdir(stream))) {
        struct file *file = &store->files[store->file_count];
        struct stat seen;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(file->path, sizeof(file->path), "%s/%s", below, entry->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", store->path, file->path);
        if (stat(path, &seen) == -1)
            die(path);
        if (S_ISDIR(seen.st_mode)) {
            list_files(store, entry->d_name);
        } else if (seen.st_size > 0 && store->file_count + 1 < files_max) {
            file->kind = kind_of(entry->d_name);
            file->size = (uint64_t)seen.st_size;
            store->file_count++;
        }
    }
    (void)closedir(stream);
}

static int by_path(const void *a, const void *b)
{
    const struct file *first = a, *second = b;

    return strcmp(first->path, second->path);
}

/*
 * After a crash the newest log and the manifest may be cut short, and replay has to take them as
 * they are. After an unmount there is nothing in the log, and a seal on the manifest.
 */
static void mark_early_ends(struct store *store)
{
    struct file *newest = NULL;

    for (size_t i = 0; i < store->file_count; i++) {
        struct file *file = &store->files[i];

        file->may_end_early = store->end == rot_crashed && file->kind == kind_manifest;
        if (file->kind == kind_log && (!newest || strcmp(file->path, newest->path) > 0))
            newest = file;
    }
    if (newest && store->end == rot_crashed)
        newest->may_end_early = true;
}

static void make_store(struct rot *rot, struct store *store, enum rot_end end)
{
    int status;
    pid_t child;

    store->end = end;
    (void)snprintf(store->path, sizeof(store->path), "%s/store-%d", rot->directory, (int)end);
    /* A process of its own: RocksDB's threads do not survive a fork. */
    child = fork();
    if (child == 0)
        _exit(rot_store_make(store->path, end) ? 0 : 1);
    if (child == -1 || waitpid(child, &status, 0) == -1 || status != 0)
        die("making the store");
    list_files(store, "");
    qsort(store->files, store->file_count, sizeof(store->files[0]), by_path);
    mark_early_ends(store);
}

/* Runs a program on one path or two; `second` may be "". */
static void run(const char *program, const char *first, const char *second)
{
    char command[4 * path_bytes];

    (void)snprintf(command, sizeof(command), "%s '%s' '%s'", program, first, second);
    if (system(command) != 0)
        die(command);
}

static bool has_kind(const struct store *store, enum kind kind)
{
    bool found = false;

    for (size_t i = 0; i < store->file_count; i++)
        found = found || store->files[i].kind == kind;
    return found;
}

/* In a file of this kind, if there is one. */
static struct flip choose_flip(struct rot *rot, const struct store *store, enum kind kind)
{
    static const uint8_t extremes[] = {0x00, 0xff};
    struct flip flip = {.read_only = roll(rot, 2)};
    char path[2 * path_bytes];
    uint64_t how = roll(rot, 4);
    int fd;

    if (!has_kind(store, kind)) /* after an unmount the index has no log */
        kind = kind_segment;
    do
        flip.file = &store->files[roll(rot, store->file_count)];
    while (flip.file->kind != kind);
    flip.offset = roll(rot, flip.file->size);
    (void)snprintf(path, sizeof(path), "%s/%s", store->path, flip.file->path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || pread(fd, &flip.before, 1, (off_t)flip.offset) != 1)
        die(path);
    (void)close(fd); /* read-only */
    flip.after = how < 2 ? flip.before ^ (uint8_t)(1u << roll(rot, 8)) : extremes[how - 2];
    if (flip.after == flip.before)
        flip.after ^= 0x10;
    return flip;
}

static void put_byte(const char *store, const struct file *file, uint64_t offset, uint8_t byte)
{
    char path[2 * path_bytes];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", store, file->path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || pwrite(fd, &byte, 1, (off_t)offset) != 1 || close(fd) == -1)
        die(path);
}

/* What a reader of its own finds: its wait status. What it says goes into the files. */
static int read_elsewhere(const struct rot *rot, const char *store, bool read_only)
{
    char out[path_bytes], log[path_bytes];
    pid_t child;
    int status = 0;

    (void)snprintf(out, sizeof(out), "%s/said", rot->directory);
    (void)snprintf(log, sizeof(log), "%s/log", rot->directory);
    child = fork();
    if (child == 0) {
        if (!freopen(out, "w", stdout) || !freopen(log, "w", stderr))
            _exit(100);
        (void)alarm(seconds_max);
        status = (int)rot_store_read(store, read_only);
        (void)fflush(NULL);
        _exit(status);
    }
    if (child == -1 || waitpid(child, &status, 0) == -1)
        die("fork");
    return status;
}

static bool is_empty(const struct rot *rot, const char *name)
{
    char path[path_bytes];
    struct stat seen;

    (void)snprintf(path, sizeof(path), "%s/%s", rot->directory, name);
    return stat(path, &seen) == -1 || seen.st_size == 0;
}

/* The beginning of what the reader had to say. */
static void show(const struct rot *rot)
{
    char said[path_bytes], log[path_bytes];

    (void)snprintf(said, sizeof(said), "%s/said", rot->directory);
    (void)snprintf(log, sizeof(log), "%s/log", rot->directory);
    run("head -n 5", said, log);
}

static void tell_failure(struct rot *rot, const struct store *store, const struct flip *flip,
                         const char *what)
{
    (void)printf("FAIL: %s, %s %s at %llu of %llu: 0x%02x became 0x%02x, %s: %s\n",
                 store->end == rot_closed ? "unmounted" : "crashed", kind_names[flip->file->kind],
                 flip->file->path, (unsigned long long)flip->offset,
                 (unsigned long long)flip->file->size, flip->before, flip->after,
                 flip->read_only ? "read-only" : "writable", what);
    (void)fflush(stdout);
    show(rot);
    rot->failures++;
}

static bool log_has(const struct rot *rot, const char *text)
{
    char path[path_bytes], line[1024];
    bool found = false;
    FILE *log;

    (void)snprintf(path, sizeof(path), "%s/log", rot->directory);
    log = fopen(path, "r");
    while (log && !found && fgets(line, sizeof(line), log))
        found = strstr(line, text) != NULL;
    if (log)
        (void)fclose(log); /* read-only */
    return found;
}

static void judge(struct rot *rot, const struct store *store, const struct flip *flip, int status)
{
    enum rot_verdict verdict = (enum rot_verdict)(WIFEXITED(status) ? WEXITSTATUS(status) : 0);

    if (flip->file->kind == kind_table && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
        log_has(rot, "rocksdb::DataBlockHashIndex")) {
        rot->asserted++;
        return;
    }
    if (!WIFEXITED(status)) {
        tell_failure(rot, store, flip,
                     WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
        return;
    }
    if ((int)verdict >= verdict_count) {
        tell_failure(rot, store, flip, "the reader ended strangely");
        return;
    }
    rot->counts[flip->file->kind][verdict]++;
    if (verdict == rot_wrong || (verdict == rot_lost && !flip->file->may_end_early))
        tell_failure(rot, store, flip, "not noticed");
    if (verdict == rot_unreadable && is_empty(rot, "log"))
        tell_failure(rot, store, flip, "an error without a line in the log");
}

static void flip_one(struct rot *rot, uint64_t number)
{
    const struct store *store = &rot->stores[number % 2];
    /* Kinds take turns, whatever their files weigh. */
    struct flip flip = choose_flip(rot, store, (enum kind)(number / 2 % kind_count));
    char copy[path_bytes];

    if (flip.read_only) { /* leaves the store as it is */
        put_byte(store->path, flip.file, flip.offset, flip.after);
        judge(rot, store, &flip, read_elsewhere(rot, store->path, true));
        put_byte(store->path, flip.file, flip.offset, flip.before);
        return;
    }
    (void)snprintf(copy, sizeof(copy), "%s/copy", rot->directory);
    run("rm -rf", copy, "");
    run("cp -a", store->path, copy);
    put_byte(copy, flip.file, flip.offset, flip.after);
    judge(rot, store, &flip, read_elsewhere(rot, copy, false));
}

static void report(const struct rot *rot, uint64_t flips)
{
    (void)printf("%-36s %9s %9s %11s %9s %9s\n", "flips in", "harmless", "refused", "unreadable",
                 "lost", "wrong");
    for (int kind = 0; kind < kind_count; kind++)
        (void)printf("%-36s %9llu %9llu %11llu %9llu %9llu\n", kind_names[kind],
                     (unsigned long long)rot->counts[kind][rot_right],
                     (unsigned long long)rot->counts[kind][rot_refused],
                     (unsigned long long)rot->counts[kind][rot_unreadable],
                     (unsigned long long)rot->counts[kind][rot_lost],
                     (unsigned long long)rot->counts[kind][rot_wrong]);
    (void)printf("%llu flips, %llu asserted by RocksDB, %llu failures\n", (unsigned long long)flips,
                 (unsigned long long)rot->asserted, (unsigned long long)rot->failures);
}

/* Both stores must be right before anything is flipped, or the test proves nothing. */
static void check_unharmed(const struct rot *rot)
{
    for (int i = 0; i < 2; i++) {
        int status = read_elsewhere(rot, rot->stores[i].path, true);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != rot_right) {
            show(rot);
            (void)fputs("the store is not right before any flip\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
}

/* Of each kind of file some flip was noticed: else nothing was looked at. */
static bool noticed_enough(const struct rot *rot, uint64_t flips)
{
    bool enough = rot->asserted <= 1 + flips / 500;

    for (int kind = 0; kind < kind_other; kind++) {
        const uint64_t *counts = rot->counts[kind];

        enough = enough && counts[rot_refused] + counts[rot_unreadable] + counts[rot_lost] > 0;
    }
    return enough;
}

int main(int argc, char **argv)
{
    static struct rot rot;
    const char *given = getenv("TFS_TEST_SEED");
    char directory[path_bytes];
    uint64_t flips;

    if (argc != 3) {
        (void)fputs("usage: bit_rot DIR FLIPS\n", stderr);
        return 2;
    }
    flips = strtoull(argv[2], NULL, 10);
    rot.dice = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    (void)printf("TFS_TEST_SEED=%llu\n", (unsigned long long)rot.dice);
    (void)fflush(stdout);
    (void)snprintf(directory, sizeof(directory), "%s/bit-rot-XXXXXX", argv[1]);
    rot.directory = mkdtemp(directory);
    if (!rot.directory)
        die(directory);
    make_store(&rot, &rot.stores[0], rot_closed);
    make_store(&rot, &rot.stores[1], rot_crashed);
    check_unharmed(&rot);
    for (uint64_t i = 0; i < flips; i++)
        flip_one(&rot, i);
    report(&rot, flips);
    run("rm -rf", rot.directory, "");
    if (!noticed_enough(&rot, flips))
        (void)puts("too little was noticed: nothing is proven");
    return rot.failures == 0 && noticed_enough(&rot, flips) ? EXIT_SUCCESS : EXIT_FAILURE;
}
