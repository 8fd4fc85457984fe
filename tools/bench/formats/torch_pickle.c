/*
 * Protocol 2, as torch.save uses it; opcodes as in CPython's Lib/pickle.py. Python's pickler also
 * memoises what it has written once; nothing here is shared, and readers do not ask for it.
 */
#include "tools/bench/formats/torch_pickle.h"

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
    OP_TUPLE = 't',
    OP_NEWFALSE = 0x89,
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_BININT = 'J',
    OP_LONG1 = 0x8a,
};

static void pickle_integer(struct byte_buffer *pickle, uint64_t value)
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

static void pickle_text(struct byte_buffer *pickle, const char *text)
{
    size_t size = strlen(text);

    byte_buffer_append_byte(pickle, OP_BINUNICODE);
    byte_buffer_append_le(pickle, size, 4);
    byte_buffer_append(pickle, text, size);
}

static void pickle_global(struct byte_buffer *pickle, const char *module, const char *name)
{
    byte_buffer_append_byte(pickle, OP_GLOBAL);
    byte_buffer_append_text(pickle, "%s\n%s\n", module, name);
}

/* ("storage", torch.XxxStorage, key, "cpu", element count), as a persistent id */
static void pickle_storage(struct byte_buffer *pickle, const struct tensor *tensor, size_t key)
{
    char text[24];

    byte_buffer_append_byte(pickle, OP_MARK);
    pickle_text(pickle, "storage");
    pickle_global(pickle, "torch", tensor_kinds[tensor->kind].torch_storage);
    (void)snprintf(text, sizeof(text), "%zu", key);
    pickle_text(pickle, text);
    pickle_text(pickle, "cpu");
    pickle_integer(pickle, tensor->bytes / tensor_kinds[tensor->kind].width);
    byte_buffer_append_byte(pickle, OP_TUPLE);
    byte_buffer_append_byte(pickle, OP_BINPERSID);
}

/* torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()) */
static void pickle_tensor(struct byte_buffer *pickle, const struct tensor *tensor, size_t key)
{
    uint8_t tuple = tensor->dimension_count == 1 ? OP_TUPLE1 : OP_TUPLE2;

    pickle_text(pickle, tensor->name);
    pickle_global(pickle, "torch._utils", "_rebuild_tensor_v2");
    byte_buffer_append_byte(pickle, OP_MARK);
    pickle_storage(pickle, tensor, key);
    pickle_integer(pickle, 0);
    for (unsigned d = 0; d < tensor->dimension_count; d++)
        pickle_integer(pickle, tensor->shape[d]);
    byte_buffer_append_byte(pickle, tuple);
    if (tensor->dimension_count == 2)
        pickle_integer(pickle, tensor->shape[1]); /* rows lie one after the other */
    pickle_integer(pickle, 1);
    byte_buffer_append_byte(pickle, tuple);
    byte_buffer_append_byte(pickle, OP_NEWFALSE);
    pickle_global(pickle, "collections", "OrderedDict");
    byte_buffer_append_byte(pickle, OP_EMPTY_TUPLE);
    byte_buffer_append_byte(pickle, OP_REDUCE);
    byte_buffer_append_byte(pickle, OP_TUPLE);
    byte_buffer_append_byte(pickle, OP_REDUCE);
}

void torch_pickle_build(const struct model *model, struct byte_buffer *pickle)
{
    byte_buffer_append_byte(pickle, OP_PROTO);
    byte_buffer_append_byte(pickle, 2);
    byte_buffer_append_byte(pickle, OP_EMPTY_DICT);
    byte_buffer_append_byte(pickle, OP_MARK);
    for (size_t i = 0; i < model->count; i++)
        pickle_tensor(pickle, &model->tensors[i], i);
    byte_buffer_append_byte(pickle, OP_SETITEMS);
    byte_buffer_append_byte(pickle, OP_STOP);
}
