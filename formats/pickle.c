/*
 * A pickle machine without effects. Operations are those of Python's pickletools that protocols 1
 * to 5 know. The stack holds nodes, and marks; what containers hold is a chain of cells, so that it
 * can grow in any order.
 */
#include "formats/pickle.h"
#include "formats/pickle_operations.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A pickle of 100 MB can want more; those of the largest checkpoints are a tenth of it. */
enum {
    PICKLE_STACK_MAX = 1 << 20,
    PICKLE_MEMO_MAX = 1 << 25,
    PICKLE_NODES_MAX = 1 << 24,
    PICKLE_CELLS_MAX = 1 << 25,
    STOP_STEPS = 1 << 16,
};

#define MARK UINT32_MAX

struct indexes {
    uint32_t *values;
    size_t count;
    size_t capacity;
};

struct machine {
    const struct format_source *source;
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    struct indexes stack; /* nodes, and MARK */
    struct indexes memo;
    struct pickle pickle;
};

/* Room for one more of `size` bytes. */
static int array_grow(void **array, size_t count, size_t *capacity, size_t size, size_t limit)
{
    size_t grown_capacity = *capacity ? 2 * *capacity : 256;
    void *grown;

    if (count < *capacity)
        return 0;
    if (count >= limit)
        return tfs_fail(-EOPNOTSUPP, "pickle: more than %zu values", limit);
    grown = realloc(*array, grown_capacity * size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *capacity = grown_capacity;
    return 0;
}

static int indexes_push(struct indexes *indexes, size_t limit, uint32_t value)
{
    void *values = indexes->values;
    int err = array_grow(&values, indexes->count, &indexes->capacity, sizeof(value), limit);

    indexes->values = values;
    if (err == 0)
        indexes->values[indexes->count++] = value;
    return err;
}

static int push(struct machine *machine, uint32_t node)
{
    return indexes_push(&machine->stack, PICKLE_STACK_MAX, node);
}

static int node_new(struct machine *machine, const struct pickle_node *node, uint32_t *ret)
{
    struct pickle *pickle = &machine->pickle;
    void *nodes = pickle->nodes;
    int err = array_grow(&nodes, pickle->node_count, &pickle->node_capacity, sizeof(*node),
                         PICKLE_NODES_MAX);

    pickle->nodes = nodes;
    if (err < 0)
        return err;
    pickle->nodes[pickle->node_count] = *node;
    *ret = (uint32_t)pickle->node_count++;
    return 0;
}

static int push_new(struct machine *machine, const struct pickle_node *node)
{
    uint32_t index = 0;
    int err = node_new(machine, node, &index);

    return err < 0 ? err : push(machine, index);
}

static int cell_new(struct machine *machine, uint32_t node, uint32_t *ret)
{
    struct pickle *pickle = &machine->pickle;
    void *cells = pickle->cells;
    int err = array_grow(&cells, pickle->cell_count, &pickle->cell_capacity, sizeof(*pickle->cells),
                         PICKLE_CELLS_MAX);

    pickle->cells = cells;
    if (err < 0)
        return err;
    pickle->cells[pickle->cell_count] = (struct pickle_cell){.node = node};
    *ret = (uint32_t)pickle->cell_count++;
    return 0;
}

static bool has_items(enum pickle_kind kind)
{
    return kind == PICKLE_TUPLE || kind == PICKLE_LIST || kind == PICKLE_DICT ||
           kind == PICKLE_CALL;
}

/* Items of what is no container are forgotten: it is something that only the writer knows. */
static int item_append(struct machine *machine, uint32_t container, uint32_t item)
{
    struct pickle_node *node = &machine->pickle.nodes[container];
    uint32_t cell = 0;
    int err;

    if (item == MARK)
        return tfs_fail(-EUCLEAN, "pickle: a mark where a value should be");
    if (!has_items(node->kind))
        return 0;
    err = cell_new(machine, item, &cell);
    if (err < 0)
        return err;
    if (node->item_count++ == 0)
        node->item_first = cell;
    else
        machine->pickle.cells[node->item_last].next = cell;
    node->item_last = cell;
    return 0;
}

static int underflow(void)
{
    return tfs_fail(-EUCLEAN, "pickle: stack underflow");
}

/* The value `depth` below the top, which is no mark. */
static int peek(const struct machine *machine, size_t depth, uint32_t *ret)
{
    uint32_t value;

    if (depth >= machine->stack.count)
        return underflow();
    value = machine->stack.values[machine->stack.count - 1 - depth];
    if (value == MARK)
        return tfs_fail(-EUCLEAN, "pickle: a mark where a value should be");
    *ret = value;
    return 0;
}

static int push_copy(struct machine *machine)
{
    uint32_t node = 0;
    int err = peek(machine, 0, &node);

    return err < 0 ? err : push(machine, node);
}

static int pop(struct machine *machine, size_t count)
{
    if (count > machine->stack.count)
        return underflow();
    machine->stack.count -= count;
    return 0;
}

/* The index of the value behind the last mark; -EUCLEAN when there is no mark. */
static ssize_t mark_find(const struct machine *machine)
{
    size_t i = machine->stack.count;

    while (i > 0 && machine->stack.values[i - 1] != MARK)
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

/* The values from stack index `first` on become the container's. */
static int items_take(struct machine *machine, uint32_t container, size_t first)
{
    int err = 0;

    for (size_t i = first; err == 0 && i < machine->stack.count; i++)
        err = item_append(machine, container, machine->stack.values[i]);
    machine->stack.count = first;
    return err;
}

/* What lies behind the last mark goes into the container before it. */
static int append_mark(struct machine *machine)
{
    ssize_t first = mark_find(machine);
    uint32_t container = 0;
    int err;

    if (first < 0)
        return (int)first;
    err = peek(machine, machine->stack.count - (size_t)first + 1, &container);
    if (err == 0)
        err = items_take(machine, container, (size_t)first);
    return err < 0 ? err : pop(machine, 1);
}

/* The last `count` values go into the container before them. */
static int append(struct machine *machine, size_t count)
{
    uint32_t container = 0;
    int err = peek(machine, count, &container);

    return err < 0 ? err : items_take(machine, container, machine->stack.count - count);
}

/* A new container of the last `count` values, in their place. */
static int collect(struct machine *machine, enum pickle_kind kind, size_t count)
{
    uint32_t container = 0;
    int err;

    if (count > machine->stack.count)
        return underflow();
    err = node_new(machine, &(struct pickle_node){.kind = kind}, &container);
    if (err == 0)
        err = items_take(machine, container, machine->stack.count - count);
    return err < 0 ? err : push(machine, container);
}

static int collect_mark(struct machine *machine, enum pickle_kind kind)
{
    ssize_t first = mark_find(machine);
    uint32_t container = 0;
    int err;

    if (first < 0)
        return (int)first;
    err = node_new(machine, &(struct pickle_node){.kind = kind}, &container);
    if (err == 0)
        err = items_take(machine, container, (size_t)first);
    if (err == 0)
        err = pop(machine, 1);
    return err < 0 ? err : push(machine, container);
}

/* Callable and arguments, and with a count of 3 keywords, which are not kept. */
static int call(struct machine *machine, size_t count)
{
    struct pickle_node node = {.kind = PICKLE_CALL};
    int err = peek(machine, count - 1, &node.call.callable);

    if (err == 0)
        err = peek(machine, count - 2, &node.call.arguments);
    if (err == 0)
        err = pop(machine, count);
    return err < 0 ? err : push_new(machine, &node);
}

static int build(struct machine *machine)
{
    uint32_t state = 0;
    uint32_t object = 0;
    int err = peek(machine, 0, &state);

    if (err == 0)
        err = peek(machine, 1, &object);
    if (err < 0)
        return err;
    if (machine->pickle.nodes[object].kind == PICKLE_CALL)
        machine->pickle.nodes[object].call.state = state;
    return pop(machine, 1);
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

static int memo_put(struct machine *machine, uint64_t index)
{
    uint32_t node = 0;
    int err = peek(machine, 0, &node);

    if (err < 0)
        return err;
    /* Writers count up, and each number has taken a byte at least. */
    if (index >= PICKLE_MEMO_MAX || index > (size_t)(machine->at - machine->begin))
        return tfs_fail(index == machine->memo.count ? -EOPNOTSUPP : -EUCLEAN,
                        "pickle: memo index %llu", (unsigned long long)index);
    while (err == 0 && machine->memo.count <= index)
        err = indexes_push(&machine->memo, PICKLE_MEMO_MAX, 0);
    if (err == 0)
        machine->memo.values[index] = node;
    return err;
}

static int memo_get(struct machine *machine, uint64_t index)
{
    if (index >= machine->memo.count)
        return tfs_fail(-EUCLEAN, "pickle: bad memo index");
    return push(machine, machine->memo.values[index]);
}

static int text_new(struct machine *machine, struct pickle_text text, uint32_t *ret)
{
    return node_new(machine, &(struct pickle_node){.kind = PICKLE_TEXT, .text = text}, ret);
}

/* A line for the module and one for the name. */
static int take_global(struct machine *machine)
{
    struct pickle_node node = {.kind = PICKLE_GLOBAL};
    struct pickle_text module;
    struct pickle_text name;
    int err = take_line(machine, &module);

    if (err == 0)
        err = take_line(machine, &name);
    if (err == 0)
        err = text_new(machine, module, &node.global.module);
    if (err == 0)
        err = text_new(machine, name, &node.global.name);
    return err < 0 ? err : push_new(machine, &node);
}

/* Module and name are the two texts on the stack. */
static int stack_global(struct machine *machine)
{
    struct pickle_node node = {.kind = PICKLE_GLOBAL};
    const struct pickle_node *nodes = machine->pickle.nodes;
    int err = peek(machine, 1, &node.global.module);

    if (err == 0)
        err = peek(machine, 0, &node.global.name);
    if (err < 0)
        return err;
    if (nodes[node.global.module].kind != PICKLE_TEXT ||
        nodes[node.global.name].kind != PICKLE_TEXT)
        return tfs_fail(-EUCLEAN, "pickle: a global without a name");
    err = pop(machine, 2);
    return err < 0 ? err : push_new(machine, &node);
}

static int persistent_id(struct machine *machine)
{
    struct pickle_node node = {.kind = PICKLE_PERSISTENT};
    int err = peek(machine, 0, &node.item_first);

    if (err == 0)
        err = pop(machine, 1);
    return err < 0 ? err : push_new(machine, &node);
}

/* What was called stands behind the mark, before its arguments, which nobody asks for. */
static int call_mark(struct machine *machine)
{
    struct pickle_node node = {.kind = PICKLE_CALL};
    ssize_t first = mark_find(machine);

    if (first < 0)
        return (int)first;
    if ((size_t)first < machine->stack.count)
        node.call.callable = machine->stack.values[first];
    machine->stack.count = (size_t)first - 1;
    return push_new(machine, &node);
}

/* Its module was the operation's argument. */
static int instance(struct machine *machine)
{
    struct pickle_text line;
    int err = take_line(machine, &line);

    err = err < 0 ? err : pop_to_mark(machine);
    return err < 0 ? err : push_new(machine, &(struct pickle_node){.kind = PICKLE_CALL});
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

static int take_argument(struct machine *machine, const struct pickle_operation *operation,
                         struct argument *ret)
{
    const uint8_t *bytes = NULL;
    int err;

    if (operation->number_size == PICKLE_LINE) {
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

/* What puts a value onto the stack. */
static int execute_value(struct machine *machine, const struct pickle_operation *operation,
                         const struct argument *argument)
{
    switch (operation->action) {
    case ACTION_UNKNOWN:
        return push(machine, 0);
    case ACTION_TEXT:
        return push_new(machine,
                        &(struct pickle_node){.kind = PICKLE_TEXT, .text = argument->bytes});
    case ACTION_INTEGER:
        return push_new(machine,
                        &(struct pickle_node){.kind = PICKLE_INTEGER, .integer = argument->number});
    case ACTION_TUPLE:
        return collect(machine, PICKLE_TUPLE, operation->count);
    case ACTION_TUPLE_MARK:
        return collect_mark(machine, PICKLE_TUPLE);
    case ACTION_LIST:
        return collect(machine, PICKLE_LIST, 0);
    case ACTION_LIST_MARK:
        return collect_mark(machine, PICKLE_LIST);
    case ACTION_DICT:
        return collect(machine, PICKLE_DICT, 0);
    case ACTION_DICT_MARK:
        return collect_mark(machine, PICKLE_DICT);
    case ACTION_CALL:
        return call(machine, operation->count);
    case ACTION_CALL_MARK:
        return call_mark(machine);
    case ACTION_GLOBAL:
        return take_global(machine);
    case ACTION_STACK_GLOBAL:
        return stack_global(machine);
    case ACTION_PERSISTENT_ID:
        return persistent_id(machine);
    case ACTION_INSTANCE:
        return instance(machine);
    default:
        return tfs_fail(-EOPNOTSUPP, "pickle: operation 0x%02x", operation->code);
    }
}

static int execute(struct machine *machine, const struct pickle_operation *operation,
                   const struct argument *argument)
{
    switch (operation->action) {
    case ACTION_NONE:
    case ACTION_STOP:
        return 0;
    case ACTION_MARK:
        return push(machine, MARK);
    case ACTION_POP:
        return pop(machine, operation->count);
    case ACTION_POP_MARK:
        return pop_to_mark(machine);
    case ACTION_APPEND:
        return append(machine, operation->count);
    case ACTION_APPEND_MARK:
        return append_mark(machine);
    case ACTION_BUILD:
        return build(machine);
    case ACTION_DUPLICATE:
        return push_copy(machine);
    case ACTION_MEMO_PUT:
        return memo_put(machine, argument->number);
    case ACTION_MEMO_NEXT:
        return memo_put(machine, machine->memo.count);
    case ACTION_MEMO_GET:
        return memo_get(machine, argument->number);
    default:
        return execute_value(machine, operation, argument);
    }
}

static int machine_run(struct machine *machine)
{
    for (unsigned step = 1; machine->at < machine->end; step++) {
        const struct pickle_operation *operation = pickle_operation_find(*machine->at++);
        struct argument argument = {0};
        int err;

        if (step % STOP_STEPS == 0 && format_source_is_stopped(machine->source))
            return -EINTR;
        if (!operation)
            return tfs_fail(-EUCLEAN, "pickle: operation 0x%02x", machine->at[-1]);
        err = take_argument(machine, operation, &argument);
        if (err == 0)
            err = execute(machine, operation, &argument);
        if (err < 0)
            return err;
        if (operation->action == ACTION_STOP)
            return peek(machine, 0, &machine->pickle.root);
    }
    return tfs_fail(-EUCLEAN, "pickle: no end");
}

int pickle_read(const void *data, size_t size, const struct format_source *source,
                struct pickle *ret)
{
    const struct pickle_node unknown = {.kind = PICKLE_UNKNOWN};
    struct machine machine = {
        .source = source, .begin = data, .at = data, .end = (const uint8_t *)data + size};
    uint32_t first = 0;
    int err = node_new(&machine, &unknown, &first);

    if (err == 0)
        err = cell_new(&machine, 0, &first);
    if (err == 0)
        err = machine_run(&machine);
    free(machine.stack.values);
    free(machine.memo.values);
    machine.pickle.size = (size_t)(machine.at - (const uint8_t *)data);
    if (err < 0)
        pickle_release(&machine.pickle);
    *ret = machine.pickle;
    return err;
}
