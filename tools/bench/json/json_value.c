#include "tools/bench/json/json_value.h"

#include <cjson/cJSON.h>

void json_delete_p(struct cJSON **tree)
{
    cJSON_Delete(*tree);
}

const struct cJSON *json_member(const struct cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

double json_number(const struct cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(json_member(object, name)); /* NaN when it is no number */
}

double json_number_in(const struct cJSON *object, const char *group, const char *name)
{
    return json_number(json_member(object, group), name);
}

const char *json_text(const struct cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(json_member(object, name));

    return text ? text : "";
}
