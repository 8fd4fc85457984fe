#include "tools/ctl/answer.h"

#include "store/base/text.h"

#include <cjson/cJSON.h>
#include <stdio.h>

double answer_number(const struct cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(member) ? member->valuedouble : 0;
}

const char *answer_text(const struct cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text ? text : "";
}

void answer_print_safe(const char *text)
{
    for (; *text; text++)
        (void)putchar(tfs_is_control(*text) ? '?' : *text);
}

void answer_print_text(const char *label, const char *text)
{
    (void)printf("%-11s ", label);
    answer_print_safe(text);
    (void)putchar('\n');
}

void answer_print_value(const struct cJSON *value)
{
    if (cJSON_IsString(value))
        answer_print_safe(value->valuestring);
    else if (cJSON_IsNumber(value))
        (void)printf("%.15g", value->valuedouble);
    else
        (void)printf("%s", cJSON_IsTrue(value) ? "true" : "false");
}
