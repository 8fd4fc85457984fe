/*
 * A pickle machine without effects. Operations are those of Python's pickletools that protocols 2
 * to 5 know; each is a row: what follows its byte, and what it does to the stack.
 *
 * A tuple of up to PICKLE_TUPLE_MAX values keeps them, because a persistent id is the tuple
 * ('storage', type, key, location, element count); longer ones and all other containers are opaque.
 */
#include "tools/validate/pickle.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PICKLE_STACK_MAX = 1 << 20,
    PICKLE_MEMO_MAX = 1 << 22,
    PICKLE_TUPLE_MAX = 6,
    PICKLE_POOL_MAX = 1 << 24,
    PICKLE_STORAGES_MAX = 1 << 20,
};

enum value_kind { VALUE_OPAQUE, VALUE_MARK, VALUE_TEXT, VALUE_GLOBAL, VALUE_INTEGER, VALUE_TUPLE };

struct value {
    enum value_kind kind;
    uint32_t count;            /* VALUE_TUPLE */
    struct pickle_text text;   /* VALUE_TEXT; a VALUE_GLOBAL's name */
    struct pickle_text module; /* VALUE_GLOBAL */
    uint64_t integer;          /* VALUE_INTEGER; a VALUE_TUPLE's first index in the pool */
};

struct values {
    struct value *values;
    size_t count;
    size_t capacity;
};

struct machine {
    const uint8_t *at;
    const uint8_t *end;
    struct values stack;
    struct values memo;
    struct values pool;          /* the values of tuples */
    struct pickle_text texts[3]; /* the last ones pushed, the latest first */
    struct pickle_text label;
    struct pickle_storage_list *list;
};

static const struct value opaque = {.kind = VALUE_OPAQUE};

static int values_push(struct values *values, size_t limit, const struct value *value)
{
    if (values->count == values->capacity) {
        size_t capacity = values->capacity ? 2 * values->capacity : 256;
        struct value *grown;

        if (values->count >= limit)
            return tfs_fail(-EOPNOTSUPP, "pickle: more than %zu values", limit);
        grown = realloc(values->values, capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        values->values = grown;
        values->capacity = capacity;
    }
    assert(values->values);
    values->values[values->count++] = *value;
    return 0;
}

static bool text_is(struct pickle_text text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.at, wanted, text.size) == 0;
}

static int push(struct machine *machine, const struct value *value)
{
    if (value->kind == VALUE_TEXT) {
        memmove(machine->texts + 1, machine->texts, 2 * sizeof(*machine->texts));
        machine->texts[0] = value->text;
    }
    if (value->kind == VALUE_GLOBAL && text_is(value->module, "torch._utils"))
        machine->label = machine->texts[0]; /* a tensor begins; its name stands before it */
    return values_push(&machine->stack, PICKLE_STACK_MAX, value);
}

/* By value: pushing may move the stack. */
static int push_copy(struct machine *machine)
{
    struct value value;

    if (machine->stack.count == 0)
        return tfs_fail(-EUCLEAN, "pickle: stack underflow");
    value = machine->stack.values[machine->stack.count - 1];
    return push(machine, &value);
}

static int pop(struct machine *machine, size_t count)
{
    if (count > machine->stack.count)
        return tfs_fail(-EUCLEAN, "pickle: stack underflow");
    machine->stack.count -= count;
    return 0;
}

/* The index of the value behind the last mark; -EUCLEAN when there is no mark. */
static ssize_t mark_find(const struct machine *machine)
{
    size_t i = machine->stack.count;

    while (i > 0 && machine->stack.values[i - 1].kind != VALUE_MARK)
        i--;
    return i > 0 ? (ssize_t)i : tfs_fail(-EUCLEAN, "pickle: no mark");
}

static int pop_to_mark(struct machine *machine)
{
    ssize_t first = mark_find(machine);

    if (first < 0)
        return (int)first;
    machine->stack.count = (size_t)first - 1;
    return 0;
}

static int take(struct machine *machine, size_t size, const uint8_t **ret)
{
    if (size > (size_t)(machine->end - machine->at))
        return tfs_fail(-EUCLEAN, "pickle: cut off");
    *ret = machine->at;
    machine->at += size;
    return 0;
}

/* A little-endian number of `width` bytes. */
static int take_number(struct machine *machine, size_t width, uint64_t *ret)
{
    const uint8_t *bytes = NULL;
    uint64_t number = 0;
    int err = take(machine, width, &bytes);

    if (err < 0)
        return err;
    for (size_t i = 0; i < width && i < 8; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    *ret = number;
    return 0;
}

static int take_line(struct machine *machine, struct pickle_text *ret)
{
    const uint8_t *end = memchr(machine->at, '\n', (size_t)(machine->end - machine->at));

    if (!end)
        return tfs_fail(-EUCLEAN, "pickle: line without an end");
    *ret = (struct pickle_text){(const char *)machine->at, (size_t)(end - machine->at)};
    machine->at = end + 1;
    return 0;
}

/* The last `count` values, taken off the stack, as one tuple pushed in place of `drop` values. */
static int make_tuple(struct machine *machine, size_t count, size_t drop)
{
    struct value tuple = {
        .kind = VALUE_TUPLE, .count = (uint32_t)count, .integer = machine->pool.count};

    if (drop > machine->stack.count)
        return tfs_fail(-EUCLEAN, "pickle: stack underflow");
    if (count > PICKLE_TUPLE_MAX)
        tuple = opaque;
    for (size_t i = 0; tuple.kind == VALUE_TUPLE && i < count; i++) {
        const struct value *value = &machine->stack.values[machine->stack.count - count + i];
        int err = values_push(&machine->pool, PICKLE_POOL_MAX, value);

        if (err < 0)
            return err;
    }
    machine->stack.count -= drop;
    return push(machine, &tuple);
}

static int tuple_of_mark(struct machine *machine)
{
    ssize_t first = mark_find(machine);
    size_t count;

    if (first < 0)
        return (int)first;
    count = machine->stack.count - (size_t)first;
    return make_tuple(machine, count, count + 1);
}

static int memo_put(struct machine *machine, uint64_t index)
{
    if (machine->stack.count == 0 || index >= PICKLE_MEMO_MAX)
        return tfs_fail(-EUCLEAN, "pickle: bad memo index");
    while (machine->memo.count <= index) {
        int err = values_push(&machine->memo, PICKLE_MEMO_MAX, &opaque);

        if (err < 0)
            return err;
    }
    machine->memo.values[index] = machine->stack.values[machine->stack.count - 1];
    return 0;
}

static int memo_get(struct machine *machine, uint64_t index)
{
    if (index >= machine->memo.count)
        return tfs_fail(-EUCLEAN, "pickle: bad memo index");
    return push(machine, &machine->memo.values[index]); /* another array than the one that grows */
}

struct storage_type {
    const char *module;
    const char *name;
    enum gpu_dtype dtype;
    uint32_t element_size;
};

static const struct storage_type storage_types[] = {
    {"torch", "FloatStorage", GPU_F32, 4},        {"torch", "DoubleStorage", GPU_F64, 8},
    {"torch", "HalfStorage", GPU_F16, 2},         {"torch", "BFloat16Storage", GPU_BF16, 2},
    {"torch", "LongStorage", GPU_I64, 8},         {"torch", "IntStorage", GPU_I32, 4},
    {"torch", "ShortStorage", GPU_I16, 2},        {"torch", "CharStorage", GPU_I8, 1},
    {"torch", "ByteStorage", GPU_U8, 1},          {"torch", "BoolStorage", GPU_BOOL, 1},
    {"torch", "ComplexFloatStorage", GPU_F32, 8}, {"torch", "ComplexDoubleStorage", GPU_F64, 16},
    {"torch", "UntypedStorage", GPU_BYTES, 1},    {"torch.storage", "UntypedStorage", GPU_BYTES, 1},
};

/* Dtypes without a storage of their own, named behind an untyped one. */
static const struct storage_type untyped_dtypes[] = {
    {"torch", "float8_e4m3fn", GPU_F8_E4M3, 1},
    {"torch", "float8_e5m2", GPU_F8_E5M2, 1},
    {"torch", "uint16", GPU_U16, 1},
    {"torch", "uint32", GPU_U32, 1},
    {"torch", "uint64", GPU_U64, 1},
};

static bool global_is(const struct value *value, const struct storage_type *type)
{
    return value->kind == VALUE_GLOBAL && text_is(value->module, type->module) &&
           text_is(value->text, type->name);
}

static int push_global(struct machine *machine, struct pickle_text module, struct pickle_text name)
{
    const struct value value = {.kind = VALUE_GLOBAL, .text = name, .module = module};
    struct pickle_storage_list *list = machine->list;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(untyped_dtypes) && list->count > 0; i++) {
        struct pickle_storage *last = &list->storages[list->count - 1];

        if (last->dtype == GPU_BYTES && global_is(&value, &untyped_dtypes[i]))
            last->dtype = untyped_dtypes[i].dtype;
    }
    return push(machine, &value);
}

/* A line for the module and one for the name. */
static int take_global(struct machine *machine)
{
    struct pickle_text module;
    struct pickle_text name;
    int err = take_line(machine, &module);

    if (err == 0)
        err = take_line(machine, &name);
    return err < 0 ? err : push_global(machine, module, name);
}

/* Module and name are the two texts on the stack. */
static int stack_global(struct machine *machine)
{
    const struct value *top;
    struct pickle_text module;
    struct pickle_text name;

    if (machine->stack.count < 2)
        return tfs_fail(-EUCLEAN, "pickle: stack underflow");
    top = machine->stack.values + machine->stack.count;
    if (top[-1].kind != VALUE_TEXT || top[-2].kind != VALUE_TEXT)
        return tfs_fail(-EUCLEAN, "pickle: a global without a name");
    module = top[-2].text;
    name = top[-1].text;
    machine->stack.count -= 2;
    machine->texts[0] = machine->texts[2]; /* those two named nothing but the global */
    return push_global(machine, module, name);
}

static int storage_add(struct pickle_storage_list *list, const struct pickle_storage *storage)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct pickle_storage *grown;

        if (list->count >= PICKLE_STORAGES_MAX)
            return tfs_fail(-EOPNOTSUPP, "pickle: too many storages");
        grown = realloc(list->storages, capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        list->storages = grown;
        list->capacity = capacity;
    }
    list->storages[list->count++] = *storage;
    return 0;
}

static int persistent_id(struct machine *machine)
{
    struct pickle_storage storage = {.label = machine->label};
    const struct value *id;
    const struct value *parts;
    int err;

    if (machine->stack.count == 0)
        return tfs_fail(-EUCLEAN, "pickle: stack underflow");
    id = &machine->stack.values[machine->stack.count - 1];
    if (id->kind != VALUE_TUPLE || id->count < 5)
        return tfs_fail(-EOPNOTSUPP, "pickle: a persistent id that is no storage");
    parts = &machine->pool.values[id->integer];
    if (parts[0].kind != VALUE_TEXT || !text_is(parts[0].text, "storage") ||
        parts[1].kind != VALUE_GLOBAL || parts[2].kind != VALUE_TEXT ||
        parts[4].kind != VALUE_INTEGER)
        return tfs_fail(-EOPNOTSUPP, "pickle: a persistent id that is no storage");
    storage.key = parts[2].text;
    storage.element_count = parts[4].integer;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(storage_types); i++) {
        if (global_is(&parts[1], &storage_types[i])) {
            storage.dtype = storage_types[i].dtype;
            storage.element_size = storage_types[i].element_size;
        }
    }
    err = storage_add(machine->list, &storage);
    machine->stack.values[machine->stack.count - 1] = opaque;
    return err;
}

enum action {
    ACTION_NONE, /* nothing; the argument, if any, is passed over */
    ACTION_OPAQUE,
    ACTION_TEXT,
    ACTION_INTEGER,
    ACTION_MARK,
    ACTION_POP,          /* `count` values */
    ACTION_REPLACE,      /* `count` values by an opaque one */
    ACTION_POP_MARK,     /* down to and with the mark */
    ACTION_REPLACE_MARK, /* the same, then an opaque one */
    ACTION_TUPLE,        /* of `count` values */
    ACTION_TUPLE_MARK,
    ACTION_DUPLICATE,
    ACTION_MEMO_PUT,
    ACTION_MEMO_NEXT,
    ACTION_MEMO_GET,
    ACTION_GLOBAL,
    ACTION_STACK_GLOBAL,
    ACTION_PERSISTENT_ID,
    ACTION_INSTANCE, /* of a module and a class named by two lines; arguments down to the mark */
    ACTION_UNTOLD,   /* depends on what only the program that wrote it knows */
    ACTION_STOP,
};

/* In place of a number's size: a line follows. */
enum { LINE = 0xFF };

struct operation {
    uint8_t code;
    uint8_t number_size; /* bytes of a number that follows, or LINE */
    bool is_counted;     /* that number counts bytes that follow it */
    uint8_t count;
    enum action action;
};

static const struct operation operations[] = {
    {'\x80', 1, false, 0, ACTION_NONE},       {'\x95', 8, false, 0, ACTION_NONE},
    {'N', 0, false, 0, ACTION_OPAQUE},        {'\x88', 0, false, 0, ACTION_OPAQUE},
    {'\x89', 0, false, 0, ACTION_OPAQUE},     {'}', 0, false, 0, ACTION_OPAQUE},
    {']', 0, false, 0, ACTION_OPAQUE},        {'\x8f', 0, false, 0, ACTION_OPAQUE},
    {')', 0, false, 0, ACTION_TUPLE},         {'G', 8, false, 0, ACTION_OPAQUE},
    {'X', 4, true, 0, ACTION_TEXT},           {'\x8c', 1, true, 0, ACTION_TEXT},
    {'\x8d', 8, true, 0, ACTION_TEXT},        {'U', 1, true, 0, ACTION_TEXT},
    {'T', 4, true, 0, ACTION_TEXT},           {'C', 1, true, 0, ACTION_OPAQUE},
    {'B', 4, true, 0, ACTION_OPAQUE},         {'\x8e', 8, true, 0, ACTION_OPAQUE},
    {'\x96', 8, true, 0, ACTION_OPAQUE},      {'J', 4, false, 0, ACTION_INTEGER},
    {'K', 1, false, 0, ACTION_INTEGER},       {'M', 2, false, 0, ACTION_INTEGER},
    {'\x8a', 1, true, 0, ACTION_INTEGER},     {'\x8b', 4, true, 0, ACTION_INTEGER},
    {'(', 0, false, 0, ACTION_MARK},          {'0', 0, false, 1, ACTION_POP},
    {'1', 0, false, 0, ACTION_POP_MARK},      {'2', 0, false, 0, ACTION_DUPLICATE},
    {'a', 0, false, 1, ACTION_POP},           {'s', 0, false, 2, ACTION_POP},
    {'b', 0, false, 1, ACTION_POP},           {'e', 0, false, 0, ACTION_POP_MARK},
    {'u', 0, false, 0, ACTION_POP_MARK},      {'\x90', 0, false, 0, ACTION_POP_MARK},
    {'R', 0, false, 2, ACTION_REPLACE},       {'\x81', 0, false, 2, ACTION_REPLACE},
    {'\x92', 0, false, 3, ACTION_REPLACE},    {'l', 0, false, 0, ACTION_REPLACE_MARK},
    {'d', 0, false, 0, ACTION_REPLACE_MARK},  {'\x91', 0, false, 0, ACTION_REPLACE_MARK},
    {'\x85', 0, false, 1, ACTION_TUPLE},      {'\x86', 0, false, 2, ACTION_TUPLE},
    {'\x87', 0, false, 3, ACTION_TUPLE},      {'t', 0, false, 0, ACTION_TUPLE_MARK},
    {'q', 1, false, 0, ACTION_MEMO_PUT},      {'r', 4, false, 0, ACTION_MEMO_PUT},
    {'\x94', 0, false, 0, ACTION_MEMO_NEXT},  {'h', 1, false, 0, ACTION_MEMO_GET},
    {'j', 4, false, 0, ACTION_MEMO_GET},      {'c', 0, false, 0, ACTION_GLOBAL},
    {'Q', 0, false, 0, ACTION_PERSISTENT_ID}, {'\x93', 0, false, 0, ACTION_STACK_GLOBAL},
    {'I', LINE, false, 0, ACTION_INTEGER},    {'L', LINE, false, 0, ACTION_INTEGER},
    {'F', LINE, false, 0, ACTION_OPAQUE},     {'S', LINE, false, 0, ACTION_TEXT},
    {'V', LINE, false, 0, ACTION_TEXT},       {'p', LINE, false, 0, ACTION_MEMO_PUT},
    {'g', LINE, false, 0, ACTION_MEMO_GET},   {'i', LINE, false, 0, ACTION_INSTANCE},
    {'P', LINE, false, 0, ACTION_UNTOLD},     {'o', 0, false, 0, ACTION_REPLACE_MARK},
    {'\x82', 1, false, 0, ACTION_UNTOLD},     {'\x83', 2, false, 0, ACTION_UNTOLD},
    {'\x84', 4, false, 0, ACTION_UNTOLD},     {'\x97', 0, false, 0, ACTION_UNTOLD},
    {'\x98', 0, false, 0, ACTION_UNTOLD},     {'.', 0, false, 0, ACTION_STOP},
};

static const struct operation *operation_find(uint8_t code)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(operations); i++) {
        if (operations[i].code == code)
            return &operations[i];
    }
    return NULL;
}

/* An operation's argument: a number, or as many bytes as the number says. */
struct argument {
    uint64_t number;
    struct pickle_text bytes;
};

/* "12", "12L"; 0 for a negative number and UINT64_MAX for one too large, which count nothing. */
static uint64_t number_of_line(struct pickle_text line)
{
    uint64_t number = 0;

    for (size_t i = 0; i < line.size && line.at[i] >= '0' && line.at[i] <= '9'; i++) {
        if (tfs_mul_overflows(number, 10, &number) ||
            tfs_add_overflows(number, (uint64_t)(line.at[i] - '0'), &number))
            return UINT64_MAX;
    }
    return number;
}

static int take_argument(struct machine *machine, const struct operation *operation,
                         struct argument *ret)
{
    const uint8_t *bytes = NULL;
    int err;

    if (operation->number_size == LINE) {
        err = take_line(machine, &ret->bytes);
        ret->number = number_of_line(ret->bytes);
        return err;
    }
    err = take_number(machine, operation->number_size, &ret->number);
    if (err < 0 || !operation->is_counted)
        return err;
    err = take(machine, ret->number, &bytes);
    if (err < 0)
        return err;
    ret->bytes = (struct pickle_text){(const char *)bytes, ret->number};
    ret->number = 0;
    for (size_t i = 0; i < ret->bytes.size && i < 8; i++) /* an integer of any length; these fit */
        ret->number |= (uint64_t)bytes[i] << (8 * i);
    return 0;
}

static int push_kind(struct machine *machine, enum value_kind kind, const struct argument *argument)
{
    struct value value = {.kind = kind};

    if (kind == VALUE_TEXT)
        value.text = argument->bytes;
    else if (kind == VALUE_INTEGER)
        value.integer = argument->number;
    return push(machine, &value);
}

static int execute(struct machine *machine, const struct operation *operation,
                   const struct argument *argument)
{
    struct pickle_text line;
    int err = 0;

    switch (operation->action) {
    case ACTION_NONE:
    case ACTION_STOP:
        return 0;
    case ACTION_OPAQUE:
        return push(machine, &opaque);
    case ACTION_TEXT:
        return push_kind(machine, VALUE_TEXT, argument);
    case ACTION_INTEGER:
        return push_kind(machine, VALUE_INTEGER, argument);
    case ACTION_MARK:
        return push_kind(machine, VALUE_MARK, argument);
    case ACTION_POP:
        return pop(machine, operation->count);
    case ACTION_REPLACE:
        err = pop(machine, operation->count);
        return err < 0 ? err : push(machine, &opaque);
    case ACTION_POP_MARK:
        return pop_to_mark(machine);
    case ACTION_REPLACE_MARK:
        err = pop_to_mark(machine);
        return err < 0 ? err : push(machine, &opaque);
    case ACTION_TUPLE:
        return make_tuple(machine, operation->count, operation->count);
    case ACTION_TUPLE_MARK:
        return tuple_of_mark(machine);
    case ACTION_DUPLICATE:
        return push_copy(machine);
    case ACTION_MEMO_PUT:
        return memo_put(machine, argument->number);
    case ACTION_MEMO_NEXT:
        return memo_put(machine, machine->memo.count);
    case ACTION_MEMO_GET:
        return memo_get(machine, argument->number);
    case ACTION_GLOBAL:
        return take_global(machine);
    case ACTION_STACK_GLOBAL:
        return stack_global(machine);
    case ACTION_PERSISTENT_ID:
        return persistent_id(machine);
    case ACTION_INSTANCE:
        err = take_line(machine, &line);
        err = err < 0 ? err : pop_to_mark(machine);
        return err < 0 ? err : push(machine, &opaque);
    case ACTION_UNTOLD:
        return tfs_fail(-EOPNOTSUPP, "pickle: operation 0x%02x", operation->code);
    }
    return -EUCLEAN;
}

static int machine_run(struct machine *machine)
{
    while (machine->at < machine->end) {
        const struct operation *operation = operation_find(*machine->at++);
        struct argument argument = {0};
        int err;

        if (!operation)
            return tfs_fail(-EUCLEAN, "pickle: operation 0x%02x", machine->at[-1]);
        err = take_argument(machine, operation, &argument);
        if (err == 0)
            err = execute(machine, operation, &argument);
        if (err < 0 || operation->action == ACTION_STOP)
            return err;
    }
    return tfs_fail(-EUCLEAN, "pickle: no end");
}

int pickle_find_storages(const void *data, size_t size, struct pickle_storage_list *ret)
{
    struct pickle_storage_list list = {NULL, 0, 0};
    struct machine machine = {.at = data, .end = (const uint8_t *)data + size, .list = &list};
    int err = machine_run(&machine);

    free(machine.stack.values);
    free(machine.memo.values);
    free(machine.pool.values);
    if (err < 0) {
        free(list.storages);
        list = (struct pickle_storage_list){NULL, 0, 0};
    }
    *ret = list;
    return err;
}
