/*
 * The script and the data are written first and drawn from there, so that what a user restyles is
 * what was drawn.
 */
#include "tools/bench/command/plot.h"

#include "tools/bench/command/commands.h"
#include "tools/bench/report/plot_scripts.h"
#include "tools/bench/report/results.h"
#include "tools/bench/system/process.h"
#include "tools/common/console.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static double number(const cJSON *object, const char *group, const char *name)
{
    const cJSON *inner = group ? cJSON_GetObjectItemCaseSensitive(object, group) : object;

    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(inner, name));
}

static const char *text(const cJSON *object, const char *name)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return value ? value : "";
}

static void write_heat(FILE *out, const cJSON *tests)
{
    static const char *const columns[] = {"save_improvement_percent", "load_improvement_percent",
                                          "stored_improvement_percent"};
    static const char *const values[] = {"save", "load", "stored"};
    const cJSON *test;
    int row = 0;

    (void)fprintf(out, "\n\n");
    cJSON_ArrayForEach(test, tests)
    {
        for (size_t column = 0; column < TFS_ARRAY_COUNT(columns); column++)
            (void)fprintf(out, "%s\t%zu\t%d\t%.3f\t%s\n", text(test, "name"), column, row,
                          number(test, NULL, columns[column]),
                          results_improvement(test, values[column]).text);
        row++;
    }
}

static void write_analysis(FILE *out, const cJSON *results)
{
    const cJSON *tests = cJSON_GetObjectItemCaseSensitive(results, "tests");
    const cJSON *test;

    cJSON_ArrayForEach(test, tests)
    {
        double mib = (double)TFS_MIB;

        (void)fprintf(
            out, "%s\t%.6f\t%.6f\t%.6f\t%.6f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%s\t%s\n",
            text(test, "name"), number(test, "save", "mean"), number(test, "save", "stddev"),
            number(test, "load", "mean"), number(test, "load", "stddev"),
            number(test, "stored", "mean") / mib, number(test, "stored", "stddev") / mib,
            number(test, NULL, "save_improvement_percent"),
            number(test, NULL, "load_improvement_percent"),
            number(test, NULL, "stored_improvement_percent"),
            results_improvement(test, "save").text, results_improvement(test, "load").text);
    }
    write_heat(out, tests);
}

/* What the deviation of the times makes of the rate, to first order. */
static double rate_spread(const cJSON *test, const char *value)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s_gb_per_s", value);
    return number(test, NULL, name) * number(test, value, "stddev") / number(test, value, "mean");
}

/* A block for each axis in the order of the script; one that was not scanned holds a point out of
 * sight. */
static void write_scan(FILE *out, const cJSON *results)
{
    static const char *const axes[] = {"chunk_size", "concurrency", "compression"};
    const cJSON *scan = cJSON_GetObjectItemCaseSensitive(results, "parameter_scan");
    const cJSON *test;

    for (size_t axis = 0; axis < TFS_ARRAY_COUNT(axes); axis++) {
        bool empty = true;

        cJSON_ArrayForEach(test, scan)
        {
            if (strcmp(text(test, "axis"), axes[axis]) != 0)
                continue;
            (void)fprintf(out, "%s\t%.4f\t%.4f\t%.2f\t%.4f\t%.4f\n", text(test, "value"),
                          number(test, NULL, "save_gb_per_s"), number(test, NULL, "load_gb_per_s"),
                          number(test, NULL, "stored_percent"), rate_spread(test, "save"),
                          rate_spread(test, "load"));
            empty = false;
        }
        if (empty)
            (void)fprintf(out, "not scanned\t0\t0\t0\t0\t0\n");
        (void)fprintf(out, "\n\n");
    }
}

static int file_close(FILE *file, const char *path)
{
    bool failed = ferror(file) != 0;

    if (fclose(file) != 0 || failed)
        return console_fail(-EIO, "writing '%s'", path);
    return 0;
}

struct plot {
    const char *name;
    const char *script;
    void (*write)(FILE *out, const cJSON *results);
};

static int plot_write_files(const struct plot *plot, const cJSON *results, const char *directory)
{
    char path[PATH_MAX];
    FILE *file;
    int err;

    if (snprintf(path, sizeof(path), "%s/%s.dat", directory, plot->name) >= (int)sizeof(path))
        return console_fail(-ENAMETOOLONG, "'%s'", directory);
    file = fopen(path, "we");
    if (!file)
        return console_fail(-errno, "creating '%s'", path);
    plot->write(file, results);
    err = file_close(file, path);
    if (err < 0)
        return err;
    (void)snprintf(path, sizeof(path), "%s/%s.gp", directory, plot->name);
    file = fopen(path, "we");
    if (!file)
        return console_fail(-errno, "creating '%s'", path);
    (void)fputs(plot->script, file);
    return file_close(file, path);
}

/* gnuplot runs in the directory, as a user who restyles the script would run it. */
static int plot_draw(const struct plot *plot, const char *directory)
{
    char program[] = "gnuplot";
    char script[64];
    char *argv[] = {program, script, NULL};
    char output[64];
    int status;

    (void)snprintf(script, sizeof(script), "%s.gp", plot->name);
    status = process_capture(argv, directory, output, sizeof(output));
    if (status == 127)
        return console_fail(-ENOENT, "gnuplot (Debian: gnuplot-nox); '%s/%s' waits for it",
                            directory, script);
    if (status != 0)
        return console_fail(-EIO, "gnuplot on '%s/%s'", directory, script);
    console_note("drew %s/%s.png", directory, plot->name);
    return 0;
}

int plot_sweep(const cJSON *results, const char *directory)
{
    static const struct plot plots[] = {
        {"optimization_analysis", plot_script_analysis, write_analysis},
        {"parameter_scan", plot_script_scan, write_scan},
    };
    bool scanned =
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(results, "parameter_scan")) > 0;

    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(results, "tests")) == 0)
        return console_reject("these are not the results of a sweep");
    for (size_t i = 0; i < (scanned ? 2u : 1u); i++) {
        int err = plot_write_files(&plots[i], results, directory);

        if (err == 0)
            err = plot_draw(&plots[i], directory);
        if (err < 0)
            return err;
    }
    return 0;
}

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
    tfs_cleanup(results_delete_p) cJSON *results = NULL;
    char *content = NULL;
    int err = results_read(file, &content, &results);

    free(content);
    if (err == 0 && cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(results, "tests")) == 0)
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
