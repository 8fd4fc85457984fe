/*
 * The operations of pickles, protocols 1 to 5.
 */
#ifndef TFS_FORMATS_PICKLE_OPERATIONS_H
#define TFS_FORMATS_PICKLE_OPERATIONS_H

#include "store/base/defs.h"

enum pickle_action {
    ACTION_NONE, /* nothing; the argument, if any, is passed over */
    ACTION_UNKNOWN,
    ACTION_TEXT,
    ACTION_INTEGER,
    ACTION_MARK,
    ACTION_POP,      /* `count` values */
    ACTION_POP_MARK, /* down to and with the mark */
    ACTION_TUPLE,    /* of `count` values */
    ACTION_TUPLE_MARK,
    ACTION_LIST,
    ACTION_LIST_MARK,
    ACTION_DICT,
    ACTION_DICT_MARK,
    ACTION_APPEND, /* `count` values to the container before them */
    ACTION_APPEND_MARK,
    ACTION_CALL, /* `count` values */
    ACTION_CALL_MARK,
    ACTION_BUILD,
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
enum { PICKLE_LINE = 0xFF };

struct pickle_operation {
    uint8_t code;
    uint8_t number_size; /* bytes of a number that follows, or PICKLE_LINE */
    bool is_counted;     /* that number counts bytes that follow it */
    uint8_t count;
    enum pickle_action action;
};

/* NULL for a byte that is none. */
const struct pickle_operation *pickle_operation_find(uint8_t code);

#endif
