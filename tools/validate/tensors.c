#include "tools/validate/tensors.h"

#include "formats/tensors.h"
#include "tools/common/interrupt.h"
#include "tools/validate/format_name.h"

void validate_source_of_file(int fd, uint64_t size, struct format_source *ret)
{
    format_source_of_file(fd, size, ret);
    ret->is_stopped = interrupt_is_pending;
}

int validate_tensors_find(const struct format_source *source, const char *name,
                          struct tensor_list *ret)
{
    int err;

    tensor_list_init(ret);
    err = tensors_recognise(source, ret);
    if (err == 0)
        err = format_name_check(source, name, ret);
    return err < 0 ? err : tensors_parse(source, ret);
}
