/*
 * Requests of the control protocol, of any bytes: parsing ends with a request within its limits or
 * an error, and reading its members stays inside of what they promise.
 */
#include "control/request.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_members(const cJSON *request)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, request)
    {
        uint64_t number = 0;
        bool flag = false;
        const char *text = "";

        if (!member->string)
            continue;
        if (control_request_number(request, member->string, 5, 1000, &number) == 0 && number)
            assert(number >= 5 && number <= 1000);
        if (control_request_flag(request, member->string, &flag) < 0)
            assert(!flag);
        if (control_request_text(request, member->string, 16, &text) == 0)
            assert(strlen(text) <= 16);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size ? size : 1); /* without a zero behind it */
    cJSON *request;
    const char *command;

    assert(line);
    memcpy(line, data, size);
    if (control_request_parse(line, size, &request, &command) == 0) {
        assert(*command && strlen(command) <= CONTROL_COMMAND_SIZE_MAX);
        read_members(request);
        cJSON_Delete(request);
    }
    free(line);
    return 0;
}
