/*
 * tensorfsctl: the dispatch of its commands.
 */
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/output.h"
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    int (*run)(const struct ctl_context *context, int argc, char **argv);
    const char *summary;
} commands[] = {
    {"status", ctl_status, "what is mounted, since when, with which options"},
    {"stats", ctl_stats, "counters and latencies of a mount; --watch: a line a second"},
    {"info", ctl_info, "what became of a file's bytes, and where they lie"},
    {"du", ctl_du, "what a file or a tree holds, and what it takes"},
    {"sync", ctl_sync, "make everything durable"},
    {"loglevel", ctl_loglevel, "how much a mount logs"},
    {"metrics", ctl_metrics, "the counters as Prometheus reads them"},
    {"check", ctl_check, "check a store that is not mounted, and repair it"},
    {"scrub", ctl_scrub, "verify every stored byte against its checksum"},
    {"gc", ctl_gc, "give back the space of what was removed, now"},
    {"verify", ctl_verify, "read a file or tree, tensor by tensor, and compare"},
    {"debug-bundle", ctl_debug_bundle, "collect what helps to understand a problem"},
};

static void usage_print(FILE *out)
{
    (void)fprintf(out, "Usage: tensorfsctl [--json] [--quiet] COMMAND [OPTIONS] TARGET\n\n"
                       "Looks after a store. TARGET is its directory, or a path on its mount: a "
                       "mount is asked\nthrough its socket, a store that is not mounted is "
                       "opened. 'tensorfsctl COMMAND --help'\nexplains one.\n\n");
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++)
        (void)fprintf(out, "  %-13s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(out, "\n  -j, --json     print JSON\n  -q, --quiet    no progress, no notes\n"
                       "  -V, --version  print the version\n  -h, --help     print this text\n\n"
                       "Exit status: 0 ok, 1 failed, 2 usage, 128+N interrupted by signal N; that "
                       "of check is\nfsck's.\n");
}

/* Options before the command's name. Returns how many words they are. */
static int take_context(int argc, char **argv, struct ctl_context *ret)
{
    int at = 1;

    for (; at < argc; at++) {
        if (strcmp(argv[at], "--json") == 0 || strcmp(argv[at], "-j") == 0)
            ret->json = true;
        else if (strcmp(argv[at], "--quiet") == 0 || strcmp(argv[at], "-q") == 0)
            ret->quiet = true;
        else
            break;
    }
    return at;
}

static int run(int argc, char **argv)
{
    struct ctl_context context = {.json = false};
    int at = take_context(argc, argv, &context);
    const char *name = at < argc ? argv[at] : "";

    (void)umask(077); /* a store that it opens is its owner's alone */
    console_init(context.quiet);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        (void)printf("tensorfsctl %s\n", TFS_VERSION);
        return CTL_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage_print(stdout);
        return CTL_OK;
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            interrupt_install();
            return commands[i].run(&context, argc - at, argv + at);
        }
    }
    if (*name != '\0')
        (void)fprintf(stderr, "tensorfsctl: unknown command '%s'\n\n", name);
    usage_print(stderr);
    return CTL_USAGE;
}

int main(int argc, char **argv)
{
    int status;

    output_begin();
    status = run(argc, argv);
    return output_end(status, CTL_FAILED);
}
