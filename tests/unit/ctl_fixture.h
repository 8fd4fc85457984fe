/*
 * The commands of tensorfsctl, run in this process with their output caught, against a real store:
 * not mounted, or with a control socket that answers for it as a mount does.
 */
#ifndef TFS_TESTS_CTL_FIXTURE_H
#define TFS_TESTS_CTL_FIXTURE_H

#include "tests/unit/said.h"
#include "tests/unit/store_fixture.h"
#include "tools/ctl/ctl.h"

struct cJSON;

typedef int ctl_command_function(const struct ctl_context *context, int argc, char **argv);

extern struct said ctl_output; /* what the command printed last */
extern struct said ctl_errors;

/* A store with the files that ctl_fixture.c names, closed again: `state` is a struct fixture. */
int ctl_set_up_store(void **state);

/* The same, open, with a socket: it counts as mounted on "/nowhere". */
int ctl_set_up_mount(void **state);
int ctl_tear_down(void **state);

/* Run the command with these words, the first its name, NULL behind the last. Returns its exit
 * status. */
int ctl_run(ctl_command_function *command, ...);

/* Such a run that has to end with 0; its output, which has to be one JSON object on one line.
 * cJSON_Delete(). */
struct cJSON *ctl_run_json(ctl_command_function *command, ...);

void assert_ctl_output_has(const char *wanted);
void assert_ctl_errors_have(const char *wanted);
void assert_ctl_errors_are(const char *wanted);

/*
 * The members of an object, neither more nor fewer: "name:type name:type? ...". Types are s text, n
 * number >= 0, b truth value, o object, a array, z null or number; '?' may be missing.
 */
void assert_members(const struct cJSON *object, const char *members);

#endif
