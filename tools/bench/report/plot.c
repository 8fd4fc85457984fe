/*
 * The script and the data are written first and drawn from there, so that what a user restyles is
 * what was drawn.
 */
#include "tools/bench/report/plot.h"
#include "tools/bench/json/json_value.h"

#include "tools/bench/report/plot_scripts.h"
#include "tools/bench/report/results.h"
#include "tools/bench/system/process.h"
#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

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
            (void)fprintf(out, "%s\t%zu\t%d\t%.3f\t%s\n", json_text(test, "name"), column, row,
                          json_number(test, columns[column]),
                          results_improvement(test, values[column]).text);
        row++;
    }
}

static void write_analysis(FILE *out, const cJSON *results)
{
    const cJSON *tests = json_member(results, "tests");
    const cJSON *test;

    cJSON_ArrayForEach(test, tests)
    {
        double mib = (double)TFS_MIB;

        (void)fprintf(
            out, "%s\t%.6f\t%.6f\t%.6f\t%.6f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%s\t%s\n",
            json_text(test, "name"), json_number_in(test, "save", "mean"),
            json_number_in(test, "save", "stddev"), json_number_in(test, "load", "mean"),
            json_number_in(test, "load", "stddev"), json_number_in(test, "stored", "mean") / mib,
            json_number_in(test, "stored", "stddev") / mib,
            json_number(test, "save_improvement_percent"),
            json_number(test, "load_improvement_percent"),
            json_number(test, "stored_improvement_percent"), results_improvement(test, "save").text,
            results_improvement(test, "load").text);
    }
    write_heat(out, tests);
}

/* What the deviation of the times makes of the rate, to first order. */
static double rate_spread(const cJSON *test, const char *value)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s_gb_per_s", value);
    return json_number(test, name) * json_number_in(test, value, "stddev") /
           json_number_in(test, value, "mean");
}

/* A block for each axis in the order of the script; one that was not scanned holds a point out of
 * sight. */
static void write_scan(FILE *out, const cJSON *results)
{
    static const char *const axes[] = {"chunk_size", "concurrency", "compression"};
    const cJSON *scan = json_member(results, "parameter_scan");
    const cJSON *test;

    for (size_t axis = 0; axis < TFS_ARRAY_COUNT(axes); axis++) {
        bool empty = true;

        cJSON_ArrayForEach(test, scan)
        {
            if (strcmp(json_text(test, "axis"), axes[axis]) != 0)
                continue;
            (void)fprintf(out, "%s\t%.4f\t%.4f\t%.2f\t%.4f\t%.4f\n", json_text(test, "value"),
                          json_number(test, "save_gb_per_s"), json_number(test, "load_gb_per_s"),
                          json_number(test, "stored_percent"), rate_spread(test, "save"),
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
    bool scanned = cJSON_GetArraySize(json_member(results, "parameter_scan")) > 0;

    if (cJSON_GetArraySize(json_member(results, "tests")) == 0)
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
