/*
 * plot: the pictures of a sweep again, from its results. Each file of results gets a folder in
 * which no other file's pictures are.
 */
#include "tools/bench/command/commands.h"

#include "tools/bench/command/common.h"
#include "tools/bench/json/json_file.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/plot.h"
#include "tools/bench/report/results.h"
#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct plot_settings {
    struct common_settings common;
    const char *out;
};

static const struct options_row rows[] = {
    {"out", 'O', OPTIONS_PATH, offsetof(struct plot_settings, out), "DIR", NULL, 0, 0,
     "draw into DIR (default: beside each file)"},
};

static const struct options_command command = {
    .name = "plot",
    .summary = "Draw the results of a sweep again",
    .usage = "[--out=DIR] RESULTS.json...",
    .details = "Writes optimization_analysis.png with its script (.gp) and data (.dat); edit the "
               "script and run\n"
               "gnuplot on it to restyle the picture. With a parameter scan also "
               "parameter_scan.png. With\n"
               "--out and several files each gets a folder of its own, named after the file, or "
               "after its path\n"
               "where names are the same.\n\n"
               "Example:\n"
               "  tensorfs-bench plot results/results.json\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
    .takes_few = true,
};

/* Where the pictures of a file go. */
struct place {
    char directory[PATH_MAX];
};

/* "results" of "ra/results.json", or with all of the path "ra-results". */
static void place_name(const char *file, bool with_path, char name[PATH_MAX])
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    const char *begin = with_path ? file + strspn(file, "./") : base;
    size_t size = dot && dot > base ? (size_t)(dot - begin) : strlen(begin);

    (void)snprintf(name, PATH_MAX, "%.*s", (int)tfs_min_u64(size, PATH_MAX - 1), begin);
    for (char *at = name; *at; at++)
        *at = *at == '/' ? '-' : *at;
}

/* Does another file have the same name, but for its folder? */
static bool name_is_shared(char **files, size_t index)
{
    char name[PATH_MAX];
    char other[PATH_MAX];

    place_name(files[index], false, name);
    for (size_t i = 0; files[i]; i++) {
        place_name(files[i], false, other);
        if (i != index && strcmp(name, other) == 0)
            return true;
    }
    return false;
}

static int place_choose(const struct plot_settings *settings, char **files, size_t index,
                        struct place *ret)
{
    const char *slash = strrchr(files[index], '/');
    char name[PATH_MAX];
    int size;

    if (!settings->out) {
        size = snprintf(ret->directory, PATH_MAX, "%.*s", slash ? (int)(slash - files[index]) : 1,
                        slash ? files[index] : ".");
    } else if (!files[1]) {
        size = snprintf(ret->directory, PATH_MAX, "%s", settings->out);
    } else {
        place_name(files[index], name_is_shared(files, index), name);
        size = snprintf(ret->directory, PATH_MAX, "%s/%s", settings->out, name);
    }
    if (ret->directory[0] == '\0')
        (void)snprintf(ret->directory, PATH_MAX, "/");
    return size < PATH_MAX ? 0 : console_fail(-ENAMETOOLONG, "'%s'", files[index]);
}

static bool is_same_place(const struct place *a, const struct place *b)
{
    struct stat left;
    struct stat right;

    if (strcmp(a->directory, b->directory) == 0)
        return true;
    return stat(a->directory, &left) == 0 && stat(b->directory, &right) == 0 &&
           left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* One place for each file, or pictures would replace others. */
static int places_choose(const struct plot_settings *settings, char **files, struct place *places)
{
    for (size_t i = 0; files[i]; i++) {
        int err = place_choose(settings, files, i, &places[i]);

        if (err < 0)
            return err;
        for (size_t j = 0; j < i; j++) {
            if (is_same_place(&places[i], &places[j]))
                return console_reject("the pictures of '%s' and '%s' would both go to '%s': %s",
                                      files[j], files[i], places[i].directory,
                                      settings->out ? "draw one after the other" : "give --out");
        }
    }
    return 0;
}

static int place_make(const struct plot_settings *settings, const struct place *place)
{
    if (!settings->out)
        return 0;
    if (mkdir(settings->out, 0777) < 0 && errno != EEXIST)
        return console_fail(-errno, "creating '%s'", settings->out);
    if (mkdir(place->directory, 0777) < 0 && errno != EEXIST)
        return console_fail(-errno, "creating '%s'", place->directory);
    return 0;
}

static int plot_file(const struct plot_settings *settings, const char *file,
                     const struct place *place)
{
    tfs_cleanup(json_delete_p) cJSON *results = NULL;
    char *content = NULL;
    int err = json_file_read(file, &content, &results);

    free(content);
    if (err == 0 && cJSON_GetArraySize(json_member(results, "tests")) == 0)
        err = console_reject("'%s' holds no results of a sweep", file);
    if (err == 0)
        err = place_make(settings, place);
    return err == 0 ? plot_sweep(results, place->directory) : err;
}

static int plot_files(const struct plot_settings *settings, char **files)
{
    struct place *places;
    size_t count = 0;
    int err;

    while (files[count])
        count++;
    places = calloc(count, sizeof(*places));
    if (!places)
        return console_fail(-ENOMEM, "%zu files", count);
    err = places_choose(settings, files, places);
    for (size_t i = 0; i < count && err >= 0; i++)
        err = plot_file(settings, files[i], &places[i]);
    free(places);
    return err;
}

int plot_main(int argc, char **argv)
{
    struct plot_settings settings = {0};
    char **operands;
    int err;

    common_init(&settings.common);
    err = common_parse(&command, argc, argv, &settings.common, &operands);
    if (err == OPTIONS_DONE)
        return BENCH_OK;
    if (err < 0)
        return BENCH_USAGE;
    if (!*operands) {
        (void)console_reject("plot needs the results.json of a sweep");
        return BENCH_USAGE;
    }
    err = plot_files(&settings, operands);
    if (err < 0)
        return err == -EINVAL ? BENCH_USAGE : BENCH_FAILED;
    return BENCH_OK;
}
