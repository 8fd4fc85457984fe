#include "fs/labels.h"

#include "fs/ll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LABELS = 4, QUOTED_SIZE = OPTIONS_LABEL_SIZE_MAX + 32 };

/* There while SELinux runs, whether it enforces anything or not. */
static const char selinux_state[] = "/sys/fs/selinux/enforce";

struct label {
    const char *name;
    const char *value;
};

static void labels_of(const struct options *options, struct label ret[LABELS])
{
    ret[0] = (struct label){"context", options->labels.context};
    ret[1] = (struct label){"fscontext", options->labels.fscontext};
    ret[2] = (struct label){"defcontext", options->labels.defcontext};
    ret[3] = (struct label){"rootcontext", options->labels.rootcontext};
}

static int refuse(struct tfs_message *message, const char *name, const char *reason)
{
    (void)snprintf(message->text, sizeof(message->text), "option %s %s", name,
                   reason); /* it fits */
    return -EINVAL;
}

int labels_check(const struct options *options, struct tfs_message *message)
{
    struct label labels[LABELS];

    labels_of(options, labels);
    for (int i = 0; i < LABELS; i++) {
        if (!labels[i].value[0])
            continue;
        if (strchr(labels[i].value, '"'))
            return refuse(message, labels[i].name, "has a quote in its value");
        if (access(selinux_state, F_OK) < 0)
            return refuse(message, labels[i].name, "needs SELinux, which does not run here");
    }
    return 0;
}

/* In quotes, for a label may have commas. */
int labels_add(const struct options *options, char **list)
{
    struct label labels[LABELS];

    labels_of(options, labels);
    for (int i = 0; i < LABELS; i++) {
        char text[QUOTED_SIZE];

        if (!labels[i].value[0])
            continue;
        (void)snprintf(text, sizeof(text), "%s=\"%s\"", labels[i].name, labels[i].value);
        if (fuse_opt_add_opt_escaped(list, text) != 0)
            return -ENOMEM;
    }
    return 0;
}
