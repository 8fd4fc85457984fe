/*
 * One call of a command on an open volume. The same commands serve the daemon's socket and the tool
 * that has opened a store by itself; only where their lines go differs.
 *
 * A command emits any number of items (parts of an answer too long for one line) and of progress,
 * fills `result`, and returns 0 or a negative errno, with a sentence for people in `message` where
 * the errno does not say it all.
 */
#ifndef TFS_CONTROL_CALL_H
#define TFS_CONTROL_CALL_H

#include "control/request.h"
#include "store/store.h"

struct cJSON;
struct control_host;

/* Where a call's lines go. */
struct control_sink {
    /*
     * `kind` is "item" or "progress". Given: value, also when it fails.
     * Errors: -ECANCELED (nobody listens any more), -ENOMEM.
     */
    int (*emit)(void *context, const char *kind, struct cJSON *value);
    bool (*is_cancelled)(void *context);
    void *context;
};

struct control_call {
    struct tfs_volume *volume;
    const char *store;               /* its directory */
    const struct control_host *host; /* the mount; NULL: the tool has opened the store itself */
    const struct cJSON *request;     /* parsed; the command's arguments are its members */
    const struct control_sink *sink;
    struct cJSON *result; /* an object to be filled, or replaced */
    struct tfs_message message;
    uint64_t progress_ns; /* when progress was sent last */
};

/* What is known of the mount, for commands that tell of it. All borrowed, immutable. */
struct control_host {
    const char *version;
    const char *mountpoint;
    const char *store;                                         /* its directory */
    uint64_t start_ns;                                         /* monotonic */
    int64_t start_time;                                        /* seconds since 1970 */
    void (*add_options)(void *context, struct cJSON *options); /* NULL: none to tell */
    void (*add_stats)(void *context, struct cJSON *stats);     /* likewise */
    void *context;
};

struct control_command {
    const char *name;
    int (*run)(struct control_call *call);
    bool changes;     /* a store that is not mounted has to be opened for writing */
    bool needs_mount; /* has no meaning for a store that is not mounted */
};

/* NULL: there is no such command. */
const struct control_command *control_command_find(const char *name);

/* Fail with a sentence for people. Returns `error`. */
int control_fail(struct control_call *call, int error, const char *format, ...) TFS_PRINTF(3, 4);

/* Given: value. Errors: those of control_sink.emit. */
TFS_MUST_CHECK int control_emit_item(struct control_call *call, struct cJSON *value);

struct control_progress {
    const char *stage; /* a few words: what is being done */
    uint64_t done;
    uint64_t total; /* 0: not known */
    bool is_bytes;  /* done and total count bytes, else things */
};

/*
 * Say how far it is. It may be called as often as one likes: what is said again within a fifth of a
 * second is not sent, unless it is the end of a stage.
 *
 * Errors: -ECANCELED: the asker is gone, the command ends.
 */
TFS_MUST_CHECK int control_emit_progress(struct control_call *call,
                                         const struct control_progress *progress);

/* Does the asker still wait? For loops between two reports of progress. */
bool control_is_cancelled(const struct control_call *call);

#endif
