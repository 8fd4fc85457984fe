#include "control/call.h"

#include "control/json.h"
#include "store/base/clock.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { PROGRESS_INTERVAL_MS = 200 };

int control_fail(struct control_call *call, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(call->message.text, sizeof(call->message.text), format,
                    arguments); /* a longer one is cut */
    va_end(arguments);
    return error;
}

int control_emit_item(struct control_call *call, struct cJSON *value)
{
    if (!value)
        return -ENOMEM;
    return call->sink->emit(call->sink->context, "item", value);
}

int control_emit_progress(struct control_call *call, const struct control_progress *progress)
{
    bool is_end = progress->total > 0 && progress->done >= progress->total;
    uint64_t now_ns = tfs_clock_ns();
    cJSON *value;

    if (control_is_cancelled(call))
        return -ECANCELED;
    if (!is_end && now_ns - call->progress_ns < PROGRESS_INTERVAL_MS * TFS_NS_PER_MS)
        return 0;
    call->progress_ns = now_ns;
    value = cJSON_CreateObject();
    if (!value)
        return -ENOMEM;
    (void)cJSON_AddStringToObject(value, "stage", progress->stage);
    control_add_number(value, "done", progress->done);
    control_add_number(value, "total", progress->total);
    (void)cJSON_AddStringToObject(value, "unit", progress->is_bytes ? "bytes" : "things");
    return call->sink->emit(call->sink->context, "progress", value);
}

bool control_is_cancelled(const struct control_call *call)
{
    return call->sink->is_cancelled(call->sink->context);
}
