/*
 * The dice, the trace and the messages of the model test, and what both sides of a world share.
 */
#include "tests/model/model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
uint64_t model_dice(struct model_world *world)
{
    uint64_t z = (world->dice += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t model_dice_below(struct model_world *world, uint64_t below)
{
    return model_dice(world) % below;
}

void model_trace(struct model_world *world, const char *format, ...)
{
    char *line = world->trace[world->step % model_trace_lines];
    int used = world->drawn < 0 ? 0 : snprintf(line, model_trace_bytes, "#%d ", world->drawn);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line + used, model_trace_bytes - (size_t)used, format, arguments);
    va_end(arguments);
}

void model_fail(struct model_world *world, const char *format, ...)
{
    uint64_t first = world->step < model_trace_lines ? 0 : world->step - model_trace_lines + 1;
    va_list arguments;

    flockfile(stderr);
    for (uint64_t step = first; step <= world->step; step++)
        (void)fprintf(stderr, "%s %llu: %s\n", world->label, (unsigned long long)step,
                      world->trace[step % model_trace_lines]);
    (void)fprintf(stderr, "%s, seed %llu, step %llu: ", world->label,
                  (unsigned long long)world->seed, (unsigned long long)world->step);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    funlockfile(stderr);
    exit(EXIT_FAILURE);
}

void model_agree(struct model_world *world, const char *what, const long results[model_sides],
                 const int errors[model_sides])
{
    const char *error[model_sides];

    world->calls++;
    world->successes += results[0] != -1;
    if (results[0] == results[1] && (results[0] != -1 || errors[0] == errors[1]))
        return;
    for (int side = 0; side < model_sides; side++)
        error[side] = results[side] == -1 ? strerrorname_np(errors[side]) : "no error";
    model_fail(world, "%s answered %ld (%s), wanted %ld (%s)", what, results[0], error[0],
               results[1], error[1]);
}

void model_agree_bytes(struct model_world *world, const char *what, size_t size)
{
    const uint8_t *got = world->buffer[0], *wanted = world->buffer[1];
    size_t first = 0, last = size;

    if (memcmp(got, wanted, size) == 0)
        return;
    while (got[first] == wanted[first])
        first++;
    while (got[last - 1] == wanted[last - 1])
        last--;
    model_fail(world,
               "%s: of %zu bytes those from %zu to %zu differ, the first is %02x, wanted %02x",
               what, size, first, last, got[first], wanted[first]);
}

void model_world_attach(struct model_world *world, const int root_fds[model_sides])
{
    for (int side = 0; side < model_sides; side++) {
        if (mkdirat(root_fds[side], world->label, 0755) == -1 && errno != EEXIST)
            model_fail(world, "mkdir: %s", strerror(errno));
        world->root[side] = openat(root_fds[side], world->label, O_RDONLY | O_DIRECTORY);
        if (world->root[side] == -1)
            model_fail(world, "open of side %d: %s", side, strerror(errno));
    }
}

void model_world_detach(struct model_world *world)
{
    for (int i = 0; i < model_handles; i++) {
        for (int side = 0; side < model_sides; side++) {
            if (world->handles[i].fd[side] != -1 && close(world->handles[i].fd[side]) == -1)
                model_fail(world, "close: %s", strerror(errno));
            world->handles[i].fd[side] = -1;
        }
    }
    for (int side = 0; side < model_sides; side++)
        (void)close(world->root[side]); /* a directory: nothing to lose */
}

void model_world_init(struct model_world *world, const int root_fds[model_sides], const char *name,
                      uint64_t seed)
{
    *world = (struct model_world){.label = name, .seed = seed, .dice = seed, .drawn = -1};
    for (int i = 0; i < model_handles; i++)
        world->handles[i] = (struct model_handle){.fd = {-1, -1}};
    for (int side = 0; side < model_sides; side++) {
        world->buffer[side] = malloc(model_file_bytes_max);
        if (!world->buffer[side])
            model_fail(world, "no memory");
    }
    model_world_attach(world, root_fds);
}

void model_world_release(struct model_world *world)
{
    model_world_detach(world);
    for (int side = 0; side < model_sides; side++)
        free(world->buffer[side]);
}

static void fail_plainly(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* Unlinks what can be; returns the first directory that is not empty through `ret`, else false. */
static bool remove_what_can_be(int fd, char ret[NAME_MAX + 1])
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY);
    DIR *listing = copy == -1 ? NULL : fdopendir(copy);
    bool found = false;

    if (!listing)
        fail_plainly("opendir");
    for (struct dirent *entry; !found && (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0) == 0)
            continue;
        if (errno != ENOTEMPTY)
            fail_plainly(entry->d_name);
        (void)snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
        found = true;
    }
    (void)closedir(listing);
    return found;
}

/* Goes down and up by turns instead of calling itself: the tree may be of any depth. */
void model_empty_directory(int top)
{
    char name[NAME_MAX + 1];
    int depth = 0;
    int fd = openat(top, ".", O_RDONLY | O_DIRECTORY);

    for (;;) {
        const char *way = "..";
        int next;

        if (fd == -1)
            fail_plainly("open of a directory to empty");
        if (remove_what_can_be(fd, name)) {
            way = name;
            depth++;
        } else if (depth-- == 0) {
            (void)close(fd);
            return;
        }
        next = openat(fd, way, O_RDONLY | O_DIRECTORY);
        (void)close(fd);
        fd = next;
    }
}
