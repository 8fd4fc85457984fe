/*
 * What most commands do: open what they are about, ask one question, print the answer.
 */
#ifndef TFS_CTL_ASK_H
#define TFS_CTL_ASK_H

#include "tools/ctl/ctl.h"
#include "tools/ctl/target.h"

struct ctl_ask {
    const struct ctl_settings *settings;
    const char *path;        /* a store, or a path on its mount */
    bool about_path;         /* the question is about this very path, not about all of the store */
    struct cJSON *request;   /* given; NULL: there was no memory for it */
    const char *items;       /* with --json: the items become the result's member of this name */
    ctl_item_function *item; /* without: prints one, and frees it; NULL: items are dropped */
    void (*print)(const struct cJSON *result); /* for people; NULL: there is nothing to say */
};

/* Returns: the command's exit status. */
int ctl_ask(const struct ctl_ask *ask);

/* A command without options of its own, whose question is its name and its one operand. */
struct ctl_plain {
    const struct options_command *command;
    bool about_path; /* as in struct ctl_ask */
    void (*print)(const struct cJSON *result);
};

/* Parses the command line and asks. Returns: the command's exit status. */
int ctl_ask_plain(const struct ctl_context *context, const struct ctl_plain *plain, int argc,
                  char **argv);

#endif
