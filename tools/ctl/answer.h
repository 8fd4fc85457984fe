/*
 * Answers read and printed. A member that is missing or of another type reads as 0 or "", so that a
 * tool and a mount of different versions understand each other as far as they can. Texts from a
 * store can hold anything: what a terminal would act on is printed as '?'.
 */
#ifndef TFS_CTL_ANSWER_H
#define TFS_CTL_ANSWER_H

#include "store/base/defs.h"

struct cJSON;

double answer_number(const struct cJSON *object, const char *name);

/* Borrowed from the object; static when it has none. */
const char *answer_text(const struct cJSON *object, const char *name);

/* A text with its control characters as '?', on standard output. */
void answer_print_safe(const char *text);

/* "label       text", a line. */
void answer_print_text(const char *label, const char *text);

/* A number, text or truth value as people write it. */
void answer_print_value(const struct cJSON *value);

#endif
