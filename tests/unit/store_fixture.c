#include "store_fixture.h"

#include "store/tables/format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_STEP_MS = 2, WAIT_STEPS_MAX = 15000, READ_MAX = 700 * 1024 };

int fixture_set_up_closed(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/store-XXXXXX",
                   TFS_TEST_DIRECTORY);
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/store", fixture->directory);
    tfs_volume_options_init(&fixture->options);
    fixture->options.path = fixture->path;
    fixture->options.memory_size = TFS_MEMORY_SIZE_MIN;
    fixture->options.threads = 2;
    fixture->options.commit_interval_s = 0;
    fixture->options.lock_wait_ms = 0;
    *state = fixture;
    return 0;
}

int fixture_set_up(void **state)
{
    int err = fixture_set_up_closed(state);

    if (!err)
        fixture_open(*state);
    return err;
}

int fixture_set_up_with(void **state, const struct index_engine *index,
                        const struct segment_engine *segments)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    if (err)
        return err;
    fixture->options.index_engine = index;
    fixture->options.segment_engine = segments;
    fixture_open(fixture);
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[500];
    int err = tfs_volume_close(fixture->volume);

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    if (system(command) != 0)
        err = -EIO;
    free(fixture);
    return err;
}

int fixture_try_open(struct fixture *fixture)
{
    fixture->message.text[0] = '\0';
    return tfs_volume_open(&fixture->options, &fixture->message, &fixture->volume);
}

void fixture_open(struct fixture *fixture)
{
    int err = fixture_try_open(fixture);

    if (err)
        print_error("%s\n", fixture->message.text);
    assert_int_equal(err, 0);
}

void fixture_close(struct fixture *fixture)
{
    assert_int_equal(tfs_volume_close(TAKE_PTR(fixture->volume)), 0);
}

void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

uint32_t fixture_features(const struct fixture *fixture)
{
    char path[500];
    char text[256] = "";
    struct format_line line;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/FORMAT", fixture->path);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    assert_int_equal(format_parse(text, &line), 0);
    return line.incompatible;
}

int fixture_open_segment(const struct fixture *fixture, uint64_t number)
{
    char path[500];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/segments/%016llx.seg", fixture->path,
                   (unsigned long long)number);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

void fixture_flip(const struct fixture *fixture, uint64_t segment, uint64_t offset)
{
    int fd = fixture_open_segment(fixture, segment);
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    assert_int_equal(fsync(fd), 0); /* O_DIRECT reads see it */
    assert_int_equal(close(fd), 0);
}

uint64_t fixture_allocated(const struct fixture *fixture)
{
    char path[500];
    uint64_t bytes = 0;
    struct dirent *entry;
    DIR *directory;

    (void)snprintf(path, sizeof(path), "%s/segments", fixture->path);
    directory = opendir(path);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        struct stat status;

        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            bytes += (uint64_t)status.st_blocks * 512;
    }
    (void)closedir(directory);
    return bytes;
}

void fixture_wait(bool (*done)(void *context), void *context)
{
    struct timespec pause = {.tv_nsec = WAIT_STEP_MS * 1000000l};

    for (int i = 0; i < WAIT_STEPS_MAX; i++) {
        if (done(context))
            return;
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("waited in vain");
}

uint64_t fixture_make(struct fixture *fixture, uint64_t parent, const char *name, uint32_t mode)
{
    struct tfs_make what = {.mode = mode, .target = S_ISLNK(mode) ? "target" : NULL};
    struct tfs_attr attr;

    assert_int_equal(tfs_make(fixture->volume, parent, name, &what, &attr), 0);
    return attr.inode;
}

uint64_t fixture_lookup(struct fixture *fixture, uint64_t parent, const char *name)
{
    struct tfs_attr attr;

    assert_int_equal(tfs_lookup(fixture->volume, parent, name, &attr), 0);
    return attr.inode;
}

struct tfs_attr fixture_attr(struct fixture *fixture, uint64_t inode)
{
    struct tfs_attr attr;

    assert_int_equal(tfs_getattr(fixture->volume, inode, &attr), 0);
    return attr;
}

void fixture_assert_same_attr(const struct tfs_attr *a, const struct tfs_attr *b)
{
    assert_int_equal(a->inode, b->inode);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->blocks, b->blocks);
    assert_int_equal(a->rdev, b->rdev);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->gid, b->gid);
    assert_int_equal(a->nlink, b->nlink);
    assert_memory_equal(&a->atime, &b->atime, sizeof(a->atime));
    assert_memory_equal(&a->mtime, &b->mtime, sizeof(a->mtime));
    assert_memory_equal(&a->ctime, &b->ctime, sizeof(a->ctime));
    assert_memory_equal(&a->btime, &b->btime, sizeof(a->btime));
}

void fixture_truncate(struct fixture *fixture, uint64_t inode, uint64_t size)
{
    struct tfs_setattr change = {.fields = TFS_SET_SIZE, .size = size};
    struct tfs_attr attr;

    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    assert_int_equal(attr.size, size);
}

static struct tfs_file *open_inode(struct fixture *fixture, uint64_t inode)
{
    struct tfs_file *file;

    assert_int_equal(tfs_file_open(fixture->volume, inode, O_RDWR, &file), 0);
    return file;
}

struct tfs_file *fixture_create(struct fixture *fixture, const char *name)
{
    return open_inode(fixture, fixture_make(fixture, TFS_ROOT_INODE, name, S_IFREG | 0644));
}

struct tfs_file *fixture_open_file(struct fixture *fixture, const char *name)
{
    return open_inode(fixture, fixture_lookup(fixture, TFS_ROOT_INODE, name));
}

void fixture_write(struct tfs_file *file, uint64_t offset, const void *bytes, size_t size)
{
    assert_int_equal(tfs_file_write(file, offset, bytes, size, 0), size);
}

size_t fixture_read(struct tfs_file *file, uint64_t offset, void *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        struct tfs_read read;
        size_t before = done;

        assert_int_equal(
            tfs_file_read(file, offset + done, tfs_min_u64(size - done, READ_MAX), &read), 0);
        for (int i = 0; i < read.piece_count; i++) {
            memcpy((uint8_t *)bytes + done, read.pieces[i].iov_base, read.pieces[i].iov_len);
            done += read.pieces[i].iov_len;
        }
        assert_int_equal(done - before, read.size);
        tfs_read_release(&read);
        if (done == before)
            break;
    }
    return done;
}

void fixture_fill(void *bytes, size_t size, uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
    uint8_t *at = bytes;

    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = fixture_dice(&state);

        memcpy(at + i, &word, tfs_min_u64(sizeof(word), size - i));
    }
}

void fixture_write_random(struct tfs_file *file, uint64_t offset, size_t size, uint64_t seed)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    fixture_fill(bytes, size, seed);
    fixture_write(file, offset, bytes, size);
    free(bytes);
}

static void assert_bytes(struct tfs_file *file, uint64_t offset, const uint8_t *wanted, size_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    assert_int_equal(fixture_read(file, offset, bytes, size), size);
    if (memcmp(bytes, wanted, size) != 0) {
        size_t at = 0;

        while (bytes[at] == wanted[at])
            at++;
        fail_msg("byte %llu is 0x%02x, not 0x%02x", (unsigned long long)(offset + at), bytes[at],
                 wanted[at]);
    }
    free(bytes);
}

void fixture_assert_random(struct tfs_file *file, uint64_t offset, size_t size, uint64_t seed)
{
    uint8_t *wanted = malloc(size);

    assert_non_null(wanted);
    fixture_fill(wanted, size, seed);
    assert_bytes(file, offset, wanted, size);
    free(wanted);
}

void fixture_assert_zeros(struct tfs_file *file, uint64_t offset, size_t size)
{
    uint8_t *wanted = calloc(1, size);

    assert_non_null(wanted);
    assert_bytes(file, offset, wanted, size);
    free(wanted);
}

void fixture_make_file(struct fixture *fixture, const char *name, uint64_t size, uint64_t seed)
{
    struct tfs_file *file = fixture_create(fixture, name);

    fixture_write_random(file, 0, size, seed);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
}

void fixture_assert_file(struct fixture *fixture, const char *name, uint64_t size, uint64_t seed)
{
    struct tfs_file *file = fixture_open_file(fixture, name);

    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, size);
    fixture_assert_random(file, 0, size, seed);
    tfs_file_close(file);
}

void fixture_remove_file(struct fixture *fixture, const char *name)
{
    uint64_t inode = fixture_lookup(fixture, TFS_ROOT_INODE, name);

    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, name), 0);
    tfs_forget(fixture->volume, inode, UINT32_MAX);
}

uint64_t fixture_seed(void)
{
    const char *given = getenv("TFS_TEST_SEED");
    struct timespec now;
    uint64_t seed;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_nsec;
    print_message("TFS_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
uint64_t fixture_dice(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t fixture_dice_below(uint64_t *state, uint64_t below)
{
    return fixture_dice(state) % below;
}
