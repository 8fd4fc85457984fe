/*
 * Random operations on two directories side by side: the one under test, and a plain one that says
 * what is right. Whatever a call answers must be the same in both.
 */
#ifndef TFS_TESTS_MODEL_H
#define TFS_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    model_sides = 2, /* 0 is under test, 1 is the reference */
    model_handles = 8,
    model_trace_lines = 60,
    model_trace_bytes = 160,
    model_file_bytes_max = 3 << 20,
};

struct model_handle {
    int fd[model_sides]; /* -1: free */
};

/* One pair of directories and the dice that decide what happens to them; used by one thread. */
struct model_world {
    int root[model_sides];
    const char *label; /* named in messages; borrowed */
    uint64_t seed;
    uint64_t dice;             /* state of the generator */
    uint64_t step;             /* operations so far */
    uint64_t calls, successes; /* calls compared, and those that did not answer -1 */
    struct model_handle handles[model_handles];
    int drawn;                    /* the handle that this step uses; -1: none */
    uint8_t *buffer[model_sides]; /* model_file_bytes_max each */
    char trace[model_trace_lines][model_trace_bytes];
};

/* `name` is a directory below both roots, made if missing. Any failure ends the process. */
void model_world_init(struct model_world *world, const int root_fds[model_sides], const char *name,
                      uint64_t seed);
void model_world_release(struct model_world *world);

/* Give up or take the two directories, as an unmount demands; no handle is open in between. */
void model_world_detach(struct model_world *world);
void model_world_attach(struct model_world *world, const int root_fds[model_sides]);

/* One random operation on both sides; any difference ends the process with what led to it. */
void model_step(struct model_world *world);

/* Every name, attribute and byte below both roots is the same; else the process ends. */
void model_compare_trees(struct model_world *world);

/* From `offset` on no byte of the reference that is not zero lies in what is called a hole in the
 * file under test, which has `size` bytes; where data and holes are may differ otherwise. */
void model_compare_holes(struct model_world *world, const int fd[model_sides], off_t offset,
                         off_t size);

/* Both sides must have answered the same; `what` names the call. */
void model_agree(struct model_world *world, const char *what, const long results[model_sides],
                 const int errors[model_sides]);

/* The first `size` bytes of both buffers are the same; `what` says where they come from. */
void model_agree_bytes(struct model_world *world, const char *what, size_t size);

/* Prints the last operations and the seed, and ends the process. */
void model_fail(struct model_world *world, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* Keep a line about the operation that is about to happen. */
void model_trace(struct model_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

uint64_t model_dice(struct model_world *world);
/* 0 .. below - 1 */
uint64_t model_dice_below(struct model_world *world, uint64_t below);

/* Remove everything in the directory, however deep. */
void model_empty_directory(int fd);

#endif
