/*
 * A target owns a scratch directory, and when it is a tensorfs of ours also the mount in it.
 * Closing goes the other way round, so that nothing is removed through a mount.
 */
#include "tools/bench/target/target.h"

#include "tools/bench/system/directory.h"
#include "tools/bench/target/environment.h"
#include "tools/bench/target/mount.h"
#include "tools/bench/target/target_settings.h"
#include "tools/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void target_set_label(struct target *target, const char *directory)
{
    size_t size = strlen(directory);
    const char *start = directory;

    if (size + 1 > sizeof(target->label)) /* the end of a long path tells more than its beginning */
        start += size + 1 - sizeof(target->label);
    (void)snprintf(target->label, sizeof(target->label), "%s", start);
}

/* The target of a directory that is there. Errors: said. */
static int target_open_directory(struct target *target, const char *directory)
{
    int err;

    *target = (struct target){0};
    target_set_label(target, directory);
    err = directory_make_scratch(directory, target->work, sizeof(target->work));
    if (err < 0)
        return err;
    (void)memcpy(target->scratch, target->work, sizeof(target->scratch));
    return 0;
}

static int target_make_work(struct target *target)
{
    if (snprintf(target->work, sizeof(target->work), "%s/work", mount_point(target->mount)) >=
        (int)sizeof(target->work))
        return console_fail(-ENAMETOOLONG, "'%s'", mount_point(target->mount));
    if (mkdir(target->work, 0777) < 0)
        return console_fail(-errno, "creating '%s'", target->work);
    return 0;
}

int target_open(struct target *target, const struct target_settings *settings)
{
    char scratch[PATH_MAX];
    int err;

    if (settings->dir)
        return target_open_directory(target, settings->dir);
    *target = (struct target){.label = "tensorfs"};
    err = directory_make_scratch(settings->store_dir, scratch, sizeof(scratch));
    if (err < 0)
        return err;
    (void)memcpy(target->scratch, scratch, sizeof(scratch));
    err = mount_new(scratch, settings->tensorfs, settings->mount_options, &target->mount);
    if (err < 0)
        return err;
    err = mount_start(target->mount);
    return err < 0 ? err : target_make_work(target);
}

int target_open_places(struct target *const targets[TARGET_PLACES_MAX],
                       const struct target_settings *settings, uint64_t bytes, unsigned *ret_count)
{
    unsigned count = settings->baseline ? 2 : 1;
    int err = target_open(targets[0], settings);

    if (err == 0 && settings->baseline)
        err = target_open_directory(targets[1], settings->baseline);
    for (unsigned i = 0; i < count && err == 0; i++)
        err = directory_demand_space(targets[i]->work, bytes);
    if (err == 0)
        *ret_count = count;
    return err;
}

void target_close(struct target *target)
{
    int err = 0;

    mount_free(target->mount);
    target->mount = NULL;
    if (target->scratch[0] != '\0')
        err = directory_remove(target->scratch);
    (void)err; /* said; the results stand */
    target->scratch[0] = '\0';
}

int target_empty(struct target *target)
{
    return directory_empty(target->work);
}

/* Pages, dentries and inodes of the whole machine. Returns false where we may not. */
static bool kernel_drop_caches(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    bool done;

    if (fd < 0)
        return false;
    sync(); /* dirty pages are not dropped */
    done = write(fd, "3", 1) == 1;
    (void)close(fd);
    return done;
}

int target_make_cold(struct target *target)
{
    int done = 0;
    int err;

    if (target->mount) {
        err = mount_stop(target->mount);
        if (err < 0)
            return err;
    }
    if (kernel_drop_caches())
        done |= TARGET_COLD_DROPPED;
    if (target->mount) {
        err = mount_start(target->mount);
        if (err < 0)
            return err;
        return done | TARGET_COLD_REMOUNTED;
    }
    if (done)
        return done;
    err = directory_drop_cached(target->work);
    return err < 0 ? err : TARGET_COLD_ADVISED;
}

const char *target_cold_text(const struct target *target, int cold)
{
    bool daemon_warm = !target->mount && environment_is_tensorfs(target->work);

    if (cold & TARGET_COLD_REMOUNTED)
        return cold & TARGET_COLD_DROPPED
                   ? "tensorfs remounted, kernel caches dropped (drop_caches)"
                   : "tensorfs remounted; the store's own files may be in the page cache (not "
                     "root)";
    if (cold & TARGET_COLD_DROPPED)
        return daemon_warm ? "kernel caches dropped (drop_caches); this daemon's cache "
                             "stays warm (use --store-dir)"
                           : "kernel caches dropped (drop_caches)";
    return daemon_warm ? "files advised out of the page cache (fadvise); this "
                         "daemon's cache stays warm"
                       : "files advised out of the page cache (fadvise, not root)";
}
