/*
 * See options.h; docs/man/tensorfs-bench-validate.1 says the same at length.
 */
#include "tools/validate/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: %s FILE|DIRECTORY... [options]\n"
    "Read tensors, carry them to the GPU and check there that they are what was written.\n"
    "\n"
    "  --against DIR|MANIFEST   compare bit by bit with a copy, or with a manifest\n"
    "  --write-manifest FILE    record the checksums that were computed\n"
    "  --jobs N                 batches on their way at once (default 32)\n"
    "  --device auto|gpu|cpu    where to check (default auto)\n"
    "  --no-nan                 a tensor with NaN or infinities is bad\n"
    "  --json                   print one JSON object\n"
    "  --verbose                print every tensor's statistics\n"
    "  --compare-sequential     check one item after the other, then together; print both times\n"
    "  --rounds N               how often to compare; medians are printed (default 5, 1 to 99)\n"
    "  --help\n"
    "\n"
    "On a tensorfs mount, checksums that the store made when the data was written are always "
    "compared.\n"
    "Exit status: 0 nothing differs, 1 something does or cannot be read, 2 wrong usage or "
    "set-up.\n";

enum {
    OPTION_AGAINST = 256,
    OPTION_WRITE_MANIFEST,
    OPTION_JOBS,
    OPTION_DEVICE,
    OPTION_NO_NAN,
    OPTION_JSON,
    OPTION_VERBOSE,
    OPTION_COMPARE,
    OPTION_ROUNDS,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"against", required_argument, NULL, OPTION_AGAINST},
    {"write-manifest", required_argument, NULL, OPTION_WRITE_MANIFEST},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"no-nan", no_argument, NULL, OPTION_NO_NAN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"compare-sequential", no_argument, NULL, OPTION_COMPARE},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int count_parse(const char *option, const char *text, unsigned max, unsigned *ret)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || !isdigit((unsigned char)*text) || *end != '\0' || value < 1 || value > max) {
        (void)fprintf(stderr, "validate: %s takes 1 to %u, not '%s'\n", option, max, text);
        return -EINVAL;
    }
    *ret = (unsigned)value;
    return 0;
}

static int device_parse(const char *text, enum gpu_choice *ret)
{
    if (strcmp(text, "auto") == 0)
        *ret = GPU_CHOICE_AUTO;
    else if (strcmp(text, "gpu") == 0)
        *ret = GPU_CHOICE_CUDA;
    else if (strcmp(text, "cpu") == 0)
        *ret = GPU_CHOICE_CPU;
    else {
        (void)fprintf(stderr, "validate: --device takes auto, gpu or cpu, not '%s'\n", text);
        return -EINVAL;
    }
    return 0;
}

static int option_apply(int option, struct validate_options *options)
{
    switch (option) {
    case OPTION_AGAINST:
        options->against = optarg;
        return 0;
    case OPTION_WRITE_MANIFEST:
        options->write_manifest = optarg;
        return 0;
    case OPTION_JOBS:
        return count_parse("--jobs", optarg, VALIDATE_JOBS_MAX, &options->job_count);
    case OPTION_DEVICE:
        return device_parse(optarg, &options->device);
    case OPTION_NO_NAN:
        options->no_nan = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_VERBOSE:
        options->verbose = true;
        return 0;
    case OPTION_COMPARE:
        options->compare_sequential = true;
        return 0;
    case OPTION_ROUNDS:
        return count_parse("--rounds", optarg, VALIDATE_ROUNDS_MAX, &options->round_count);
    case OPTION_HELP:
        return 1;
    default:
        return -EINVAL; /* getopt has said why */
    }
}

/* What each option allows, but not all of them together. */
static int options_check(const struct validate_options *options)
{
    const char *complaint = NULL;

    if (options->compare_sequential && options->write_manifest)
        complaint = "--compare-sequential writes no manifest";
    if (options->round_count > 0 && !options->compare_sequential)
        complaint = "--rounds is for --compare-sequential";
    if ((options->against && *options->against == '\0') ||
        (options->write_manifest && *options->write_manifest == '\0'))
        complaint = "an empty path";
    for (size_t i = 0; i < options->path_count; i++) {
        if (*options->paths[i] == '\0')
            complaint = "an empty path";
    }
    if (!complaint)
        return 0;
    (void)fprintf(stderr, "validate: %s\n", complaint);
    return -EINVAL;
}

int validate_options_parse(int argc, char **argv, struct validate_options *ret)
{
    struct validate_options options = {.job_count = VALIDATE_JOBS_DEFAULT,
                                       .device = GPU_CHOICE_AUTO};
    int option;

    optind = 0; /* glibc: start anew, with this argv */
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int result = option_apply(option, &options);

        if (result == 1)
            (void)printf(usage, argv[0]);
        if (result != 0)
            return result;
    }
    if (optind == argc) {
        (void)fprintf(stderr, usage, argv[0]);
        return -EINVAL;
    }
    options.paths = argv + optind;
    options.path_count = (size_t)(argc - optind);
    if (options_check(&options) < 0)
        return -EINVAL;
    if (options.round_count == 0)
        options.round_count = VALIDATE_ROUNDS_DEFAULT;
    *ret = options;
    return 0;
}
