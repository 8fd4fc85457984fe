/*
 * Protocol 2, as torch.save uses it; opcodes as in CPython's Lib/pickle.py. Python's pickler also
 * memoises what it has written once; nothing here is shared, and readers do not ask for it.
 */
#include "formats/torch_pickle.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum pickle_opcode {
    OP_PROTO = 0x80,
    OP_STOP = '.',
    OP_MARK = '(',
    OP_EMPTY_DICT = '}',
    OP_SETITEMS = 'u',
    OP_BINUNICODE = 'X',
    OP_GLOBAL = 'c',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_EMPTY_TUPLE = ')',
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_TUPLE = 't',
    OP_NEWFALSE = 0x89,
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_BININT = 'J',
    OP_LONG1 = 0x8a,
};

static void put_integer(struct byte_buffer *pickle, uint64_t value)
{
    if (value < 0x100) {
        byte_buffer_append_byte(pickle, OP_BININT1);
        byte_buffer_append_le(pickle, value, 1);
    } else if (value < 0x10000) {
        byte_buffer_append_byte(pickle, OP_BININT2);
        byte_buffer_append_le(pickle, value, 2);
    } else if (value < 0x80000000u) {
        byte_buffer_append_byte(pickle, OP_BININT);
        byte_buffer_append_le(pickle, value, 4);
    } else {
        byte_buffer_append_byte(pickle, OP_LONG1);
        byte_buffer_append_byte(pickle, 8);
        byte_buffer_append_le(pickle, value, 8); /* below 2^63, so the sign bit is clear */
    }
}

static void put_text(struct byte_buffer *pickle, const char *text)
{
    size_t size = strlen(text);

    byte_buffer_append_byte(pickle, OP_BINUNICODE);
    byte_buffer_append_le(pickle, size, 4);
    byte_buffer_append(pickle, text, size);
}

static void put_global(struct byte_buffer *pickle, const char *module, const char *name)
{
    byte_buffer_append_byte(pickle, OP_GLOBAL);
    byte_buffer_append_string(pickle, module);
    byte_buffer_append_byte(pickle, '\n');
    byte_buffer_append_string(pickle, name);
    byte_buffer_append_byte(pickle, '\n');
}

/* ("storage", torch.XxxStorage, key, "cpu", element count), as a persistent id */
static void put_storage(struct byte_buffer *pickle, const struct written_tensor *tensor, size_t key)
{
    char text[24];

    byte_buffer_append_byte(pickle, OP_MARK);
    put_text(pickle, "storage");
    put_global(pickle, "torch", dtype_info(tensor->dtype)->names[DTYPE_IN_TORCH_STORAGE]);
    (void)snprintf(text, sizeof(text), "%zu", key);
    put_text(pickle, text);
    put_text(pickle, "cpu");
    put_integer(pickle, tensor->size / dtype_width(tensor->dtype));
    byte_buffer_append_byte(pickle, OP_TUPLE);
    byte_buffer_append_byte(pickle, OP_BINPERSID);
}

/* Short tuples have operations of their own. */
static void put_tuple(struct byte_buffer *pickle, const uint64_t *numbers, unsigned count)
{
    static const uint8_t short_tuples[] = {OP_EMPTY_TUPLE, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3};
    const bool is_short = count < TFS_ARRAY_COUNT(short_tuples);

    if (!is_short)
        byte_buffer_append_byte(pickle, OP_MARK);
    for (unsigned i = 0; i < count; i++)
        put_integer(pickle, numbers[i]);
    byte_buffer_append_byte(pickle, is_short ? short_tuples[count] : OP_TUPLE);
}

/* torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()) */
static void put_tensor(struct byte_buffer *pickle, const struct written_tensor *tensor, size_t key)
{
    uint64_t strides[TORCH_DIMENSION_COUNT_MAX];
    uint64_t stride = 1;

    for (unsigned i = tensor->dimension_count; i-- > 0;) {
        strides[i] = stride;
        stride *= tensor->shape[i];
    }
    put_text(pickle, tensor->name);
    put_global(pickle, "torch._utils", "_rebuild_tensor_v2");
    byte_buffer_append_byte(pickle, OP_MARK);
    put_storage(pickle, tensor, key);
    put_integer(pickle, 0);
    put_tuple(pickle, tensor->shape, tensor->dimension_count);
    put_tuple(pickle, strides, tensor->dimension_count);
    byte_buffer_append_byte(pickle, OP_NEWFALSE);
    put_global(pickle, "collections", "OrderedDict");
    byte_buffer_append_byte(pickle, OP_EMPTY_TUPLE);
    byte_buffer_append_byte(pickle, OP_REDUCE);
    byte_buffer_append_byte(pickle, OP_TUPLE);
    byte_buffer_append_byte(pickle, OP_REDUCE);
}

int torch_pickle_build(const struct written_tensor *tensors, size_t count, struct byte_buffer *ret)
{
    struct byte_buffer pickle = {0};

    byte_buffer_append_byte(&pickle, OP_PROTO);
    byte_buffer_append_byte(&pickle, 2);
    byte_buffer_append_byte(&pickle, OP_EMPTY_DICT);
    byte_buffer_append_byte(&pickle, OP_MARK);
    for (size_t i = 0; i < count; i++) {
        if (!dtype_info(tensors[i].dtype)->names[DTYPE_IN_TORCH_STORAGE] ||
            tensors[i].dimension_count > TORCH_DIMENSION_COUNT_MAX) {
            byte_buffer_release(&pickle);
            return tfs_fail(-EINVAL, "tensor '%s' has no storage of torch", tensors[i].name);
        }
        put_tensor(&pickle, &tensors[i], i);
    }
    byte_buffer_append_byte(&pickle, OP_SETITEMS);
    byte_buffer_append_byte(&pickle, OP_STOP);
    return byte_buffer_take(&pickle, ret);
}
