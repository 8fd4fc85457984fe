/*
 * The table: what follows an operation's byte, and what it does.
 */
#include "formats/pickle_operations.h"

static const struct pickle_operation operations[] = {
    {'\x80', 1, false, 0, ACTION_NONE},
    {'\x95', 8, false, 0, ACTION_NONE},
    {'N', 0, false, 0, ACTION_UNKNOWN},
    {'\x88', 0, false, 0, ACTION_UNKNOWN},
    {'\x89', 0, false, 0, ACTION_UNKNOWN},
    {'}', 0, false, 0, ACTION_DICT},
    {']', 0, false, 0, ACTION_LIST},
    {'\x8f', 0, false, 0, ACTION_LIST},
    {')', 0, false, 0, ACTION_TUPLE},
    {'G', 8, false, 0, ACTION_UNKNOWN},
    {'X', 4, true, 0, ACTION_TEXT},
    {'\x8c', 1, true, 0, ACTION_TEXT},
    {'\x8d', 8, true, 0, ACTION_TEXT},
    {'U', 1, true, 0, ACTION_TEXT},
    {'T', 4, true, 0, ACTION_TEXT},
    {'C', 1, true, 0, ACTION_UNKNOWN},
    {'B', 4, true, 0, ACTION_UNKNOWN},
    {'\x8e', 8, true, 0, ACTION_UNKNOWN},
    {'\x96', 8, true, 0, ACTION_UNKNOWN},
    {'J', 4, false, 0, ACTION_INTEGER},
    {'K', 1, false, 0, ACTION_INTEGER},
    {'M', 2, false, 0, ACTION_INTEGER},
    {'\x8a', 1, true, 0, ACTION_INTEGER},
    {'\x8b', 4, true, 0, ACTION_INTEGER},
    {'(', 0, false, 0, ACTION_MARK},
    {'0', 0, false, 1, ACTION_POP},
    {'1', 0, false, 0, ACTION_POP_MARK},
    {'2', 0, false, 0, ACTION_DUPLICATE},
    {'a', 0, false, 1, ACTION_APPEND},
    {'s', 0, false, 2, ACTION_APPEND},
    {'b', 0, false, 1, ACTION_BUILD},
    {'e', 0, false, 0, ACTION_APPEND_MARK},
    {'u', 0, false, 0, ACTION_APPEND_MARK},
    {'\x90', 0, false, 0, ACTION_APPEND_MARK},
    {'R', 0, false, 2, ACTION_CALL},
    {'\x81', 0, false, 2, ACTION_CALL},
    {'\x92', 0, false, 3, ACTION_CALL},
    {'l', 0, false, 0, ACTION_LIST_MARK},
    {'d', 0, false, 0, ACTION_DICT_MARK},
    {'\x91', 0, false, 0, ACTION_LIST_MARK},
    {'\x85', 0, false, 1, ACTION_TUPLE},
    {'\x86', 0, false, 2, ACTION_TUPLE},
    {'\x87', 0, false, 3, ACTION_TUPLE},
    {'t', 0, false, 0, ACTION_TUPLE_MARK},
    {'q', 1, false, 0, ACTION_MEMO_PUT},
    {'r', 4, false, 0, ACTION_MEMO_PUT},
    {'\x94', 0, false, 0, ACTION_MEMO_NEXT},
    {'h', 1, false, 0, ACTION_MEMO_GET},
    {'j', 4, false, 0, ACTION_MEMO_GET},
    {'c', 0, false, 0, ACTION_GLOBAL},
    {'Q', 0, false, 0, ACTION_PERSISTENT_ID},
    {'\x93', 0, false, 0, ACTION_STACK_GLOBAL},
    {'I', PICKLE_LINE, false, 0, ACTION_INTEGER},
    {'L', PICKLE_LINE, false, 0, ACTION_INTEGER},
    {'F', PICKLE_LINE, false, 0, ACTION_UNKNOWN},
    {'S', PICKLE_LINE, false, 0, ACTION_TEXT},
    {'V', PICKLE_LINE, false, 0, ACTION_TEXT},
    {'p', PICKLE_LINE, false, 0, ACTION_MEMO_PUT},
    {'g', PICKLE_LINE, false, 0, ACTION_MEMO_GET},
    {'i', PICKLE_LINE, false, 0, ACTION_INSTANCE},
    {'P', PICKLE_LINE, false, 0, ACTION_UNTOLD},
    {'o', 0, false, 0, ACTION_CALL_MARK},
    {'\x82', 1, false, 0, ACTION_UNTOLD},
    {'\x83', 2, false, 0, ACTION_UNTOLD},
    {'\x84', 4, false, 0, ACTION_UNTOLD},
    {'\x97', 0, false, 0, ACTION_UNTOLD},
    {'\x98', 0, false, 0, ACTION_UNTOLD},
    {'.', 0, false, 0, ACTION_STOP},
};

const struct pickle_operation *pickle_operation_find(uint8_t code)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(operations); i++) {
        if (operations[i].code == code)
            return &operations[i];
    }
    return NULL;
}
