/* tensorfsctl du: what a tree holds, and what it takes. */
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const struct options_command command = {
    .name = "du",
    .summary = "Add up what a file or a tree holds, and what it takes",
    .usage = "PATH",
    .details = "PATH is on a mount, or within --store=STORE, mounted or not. A file with several "
               "links counts\n"
               "once; data that several files share counts in each of them.\n",
    .takes_operands = true,
};

static void print_du(const cJSON *result)
{
    double logical = answer_number(result, "logical_bytes");
    double stored = answer_number(result, "stored_bytes");

    (void)printf("logical     %s\n", units_bytes((uint64_t)logical).text);
    (void)printf("stored      %s\n", units_bytes((uint64_t)stored).text);
    if (stored > 0)
        (void)printf("ratio       %.3f\n", logical / stored);
    (void)printf("files       %.0f\n", answer_number(result, "files"));
    (void)printf("directories %.0f\n", answer_number(result, "directories"));
    if (answer_number(result, "others") > 0)
        (void)printf("others      %.0f\n", answer_number(result, "others"));
}

int ctl_du(const struct ctl_context *context, int argc, char **argv)
{
    const struct ctl_plain plain = {.command = &command, .about_path = true, .print = print_du};

    return ctl_ask_plain(context, &plain, argc, argv);
}
