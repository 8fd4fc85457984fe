/*
 * The crash test: savers that work until the filesystem dies under them, a record outside of it of
 * what they attempted and what was acknowledged, and a check of every file against the record.
 *
 * All content follows from (file, version, offset), and each block of 4 KiB begins with a header
 * that says which it is. So nothing but version numbers has to be recorded, and a wrong byte tells
 * whose it is.
 */
#ifndef TFS_TESTS_CRASH_H
#define TFS_TESTS_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    crash_block = 4096,
    crash_checkpoints = 3,
    crash_logs = 3,
    crash_log_bytes_max = 12 << 20,
    crash_blocks = 600, /* of the file that is overwritten in place */
    crash_step_files = 20,
    crash_steps_kept = 4,
    crash_steps_checked = 8, /* the newest ones, removed ones included */
    crash_streams = 3,
    crash_shared_blocks = 2048, /* of the file that several write at the same time */
    crash_cut_blocks = 512,     /* of the one that is cut, punched and copied */
};

/*
 * Versions count from 1. attempted is raised before the first call that could make the version
 * show, acked after the call that makes it durable; so acked <= what the disk holds <= attempted.
 */
struct crash_slot {
    _Atomic uint64_t attempted;
    _Atomic uint64_t acked;
};

struct crash_log {
    _Atomic uint64_t number; /* 0: none */
    struct crash_slot bytes;
};

/* A file that several threads fill, overwrite, punch, rename and promise at the same time. Another
 * one for each generation: it is the new, growing file that is in danger. */
struct crash_shared {
    _Atomic uint64_t generation; /* 0: none */
    _Atomic uint64_t newest;     /* generation so far */
    struct crash_slot renames;   /* how many times: crash_shared_name() */
    struct crash_slot blocks[crash_shared_blocks];
};

/* A file outside of the filesystem under test, mapped by the savers and by the check. */
struct crash_record {
    struct crash_slot torch[crash_checkpoints];        /* fsync, then rename */
    struct crash_slot latest;                          /* a symlink swapped by rename */
    struct crash_slot safetensors[crash_checkpoints];  /* rename without fsync */
    struct crash_log logs[crash_logs];                 /* fsync after each record */
    struct crash_slot in_place[crash_blocks];          /* overwritten, then fsync */
    _Atomic uint64_t step;                             /* newest directory of small files */
    _Atomic uint64_t step_files;                       /* files of it that are acknowledged */
    _Atomic uint64_t steps_acked[crash_steps_checked]; /* at number % count: acknowledged steps */
    struct crash_slot removed;                         /* steps up to this one were removed */
    struct crash_slot rewrite;                         /* O_TRUNC, write, fsync */
    struct crash_slot streams[crash_streams];          /* written and closed, never synced */
    struct crash_shared shared;
    struct crash_slot cut[crash_cut_blocks];    /* written, cut and punched beside commits */
    struct crash_slot copied[crash_cut_blocks]; /* copied from there */
};

/* Who a file's content belongs to; the low bits tell files of one kind apart. */
enum crash_file {
    crash_file_torch = 0x100,
    crash_file_safetensors = 0x200,
    crash_file_log = 0x300,
    crash_file_in_place = 0x400,
    crash_file_step = 0x500,
    crash_file_rewrite = 0x600,
    crash_file_stream = 0x700,
    crash_file_shared = 0x800, /* and the generation above it */
    crash_file_cut = 0x900,    /* copies, too */
};

/* The bytes of a version from `offset` on. */
void crash_content(uint64_t file, uint64_t version, uint64_t offset, void *buffer, size_t size);

/* How long a version is: up to 5 MiB for checkpoints, up to 20 KB for the files of steps. */
size_t crash_size(uint64_t file, uint64_t version);

/* Blocks of shared files are data or, where a version says so, removed: a hole. Block `index` of a
 * version. */
bool crash_is_hole(uint64_t version);
void crash_block_content(uint64_t file, uint64_t version, uint64_t index, uint8_t *ret);

uint64_t crash_shared_file(uint64_t generation);

enum { crash_name_bytes = 64 };
void crash_shared_name(uint64_t generation, uint64_t renames, char ret[crash_name_bytes]);

/* What dies: the daemon alone, or the machine, whose disk forgets what nobody synced. */
enum crash_death { crash_of_process, crash_of_machine };

/*
 * Work in the working directory until a call fails: a relative path can never lead out of a dead
 * mount into the directory beneath it. A rename counts as acknowledged when it returned, or, where
 * the machine dies, when its directory was synced. True when that was the end of the filesystem,
 * else false and a message.
 */
bool crash_save(struct crash_record *record, uint64_t seed, enum crash_death death);

/* The same, by threads that change the same files at the same time. For a process that dies. */
bool crash_share(struct crash_record *record, uint64_t seed);

struct crash_findings {
    uint64_t acknowledged; /* things that had to be there, and were */
    uint64_t pending;      /* things that might be there, and were right */
    uint64_t wrong;        /* each has been told on stderr */
};

/* Checks the working directory. */
void crash_check(struct crash_record *record, struct crash_findings *ret);

#endif
