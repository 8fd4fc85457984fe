/*
 * Values out of a tree of JSON, for tables and pictures. What is missing has a value that shows, so
 * that nobody asks for each.
 */
#ifndef TENSORFS_BENCH_JSON_VALUE_H
#define TENSORFS_BENCH_JSON_VALUE_H

struct cJSON;

/* For tfs_cleanup. */
void json_delete_p(struct cJSON **tree);

/* The member of an object; NULL where there is none, or where `object` is NULL or no object. */
const struct cJSON *json_member(const struct cJSON *object, const char *name);

/* A member that is a number; NaN where there is none. */
double json_number(const struct cJSON *object, const char *name);

/* The number object.group.name; NaN where there is none. */
double json_number_in(const struct cJSON *object, const char *group, const char *name);

/* A member that is a text; "" where there is none. Ownership: the tree's. */
const char *json_text(const struct cJSON *object, const char *name);

#endif
