/*
 * What names the place that is measured, as command lines and a sweep's configuration say it.
 */
#ifndef TENSORFS_BENCH_TARGET_SETTINGS_H
#define TENSORFS_BENCH_TARGET_SETTINGS_H

/* Strings are borrowed; NULL where nothing was said. */
struct target_settings {
    const char *dir;           /* --dir: measure here */
    const char *baseline;      /* --baseline: and here, for comparison */
    const char *store_dir;     /* --store-dir: mount a fresh tensorfs below this directory */
    const char *mount_options; /* -o for that mount */
    const char *tensorfs;      /* --tensorfs: the binary; NULL to look it up */
};

#endif
