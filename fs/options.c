/*
 * The parser that walks the table of options (options_table.c).
 *
 * Whatever mount(8) passes on from fstab is either understood, known to be meant for others or to
 * mean nothing here (auto, nofail, x-*, silent) and dropped, or refused: an option that is silently
 * ignored makes its user believe that it works.
 */
#include "fs/options_table.h"

#include "control/metrics_server.h"
#include "store/base/error.h"
#include "store/base/size.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void options_init(struct options *options)
{
    memset(options, 0, sizeof(*options));
    tfs_volume_options_init(&options->volume);
    options->volume.create = true;
    options->read_ahead_size = 4 * TFS_MIB;
    options->lock_wait_s = 10;
    options->log_level = TFS_LOG_INFO;
}

TFS_PRINTF(2, 3)
static int refuse(struct tfs_message *message, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message->text, sizeof(message->text), format, arguments); /* cut if too long */
    va_end(arguments);
    return -EINVAL;
}

/* ---- values ---- */

/* "4M" rather than "4194304": for limits and defaults in messages. */
static const char *size_text(uint64_t size, char text[32])
{
    static const struct {
        uint64_t unit;
        char letter;
    } units[] = {{TFS_GIB, 'G'}, {TFS_MIB, 'M'}, {TFS_KIB, 'K'}};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(units); i++) {
        if (size >= units[i].unit && size % units[i].unit == 0) {
            (void)snprintf(text, 32, "%llu%c", (unsigned long long)(size / units[i].unit),
                           units[i].letter);
            return text;
        }
    }
    (void)snprintf(text, 32, "%llu", (unsigned long long)size);
    return text;
}

static int set_size(const struct option *option, const char *value, uint64_t *field,
                    struct tfs_message *message)
{
    char low[32];
    char high[32];
    uint64_t size;
    int err = tfs_parse_size(value, &size);
    bool is_power_wanted = option->kind == OPTION_POWER;

    if (err == 0 && size >= option->minimum && size <= option->maximum &&
        (!is_power_wanted || tfs_is_power_of_two(size))) {
        *field = size;
        return 0;
    }
    return refuse(message, "option %s: '%s' is not %s from %s to %s", option->name, value,
                  is_power_wanted ? "a power of two" : "a size", size_text(option->minimum, low),
                  size_text(option->maximum, high));
}

static int set_count(const struct option *option, const char *value, unsigned *field,
                     struct tfs_message *message)
{
    char *end = NULL;
    unsigned long long number = 0;
    bool is_number = *value >= '0' && *value <= '9';

    if (is_number) {
        errno = 0;
        number = strtoull(value, &end, 10);
        is_number = *end == '\0' && errno == 0;
    }
    if (!is_number || number < option->minimum || number > option->maximum)
        return refuse(message, "option %s: '%s' is not a number from %llu to %llu", option->name,
                      value, (unsigned long long)option->minimum,
                      (unsigned long long)option->maximum);
    *field = (unsigned)number;
    return 0;
}

static int set_text(const struct option *option, const char *value, char *field,
                    struct tfs_message *message)
{
    size_t length = strlen(value);

    if (length < option->minimum || length > option->maximum)
        return refuse(message, "option %s: a text of %llu to %llu bytes is needed", option->name,
                      (unsigned long long)option->minimum, (unsigned long long)option->maximum);
    memcpy(field, value, length + 1);
    return 0;
}

static bool takes_value(enum option_kind kind)
{
    return kind <= OPTION_TEXT;
}

/* `value` is NULL when none was given. */
static int option_apply(const struct option *option, const char *value, struct options *options,
                        struct tfs_message *message)
{
    char *field = (char *)options + option->offset;

    if (takes_value(option->kind) && !value)
        return refuse(message, "option %s needs a value", option->name);
    if (!takes_value(option->kind) && value)
        return refuse(message, "option %s takes no value", option->name);

    switch (option->kind) {
    case OPTION_SIZE:
    case OPTION_POWER:
        return set_size(option, value, (uint64_t *)(void *)field, message);
    case OPTION_COUNT:
        return set_count(option, value, (unsigned *)(void *)field, message);
    case OPTION_CODEC:
        if (codec_spec_parse(value, (struct codec_spec *)(void *)field) < 0)
            return refuse(message, "option %s: '%s' is not auto, none, gzip[:1-9] or zstd[:1-19]",
                          option->name, value);
        return 0;
    case OPTION_LEVEL:
        if (tfs_log_level_parse(value, (enum tfs_log_level *)(void *)field) < 0)
            return refuse(message, "option %s: '%s' is not error, warn, info or debug",
                          option->name, value);
        return 0;
    case OPTION_TEXT:
        return set_text(option, value, field, message);
    case OPTION_SET:
    case OPTION_CLEAR:
        *(bool *)(void *)field = option->kind == OPTION_SET;
        return 0;
    case OPTION_ACCEPTED:
        return 0;
    }
    return 0;
}

/* ---- the parser ---- */

static bool name_is(const char *name, size_t length, const char *wanted)
{
    if (strlen(wanted) != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char letter = name[i] == '-' ? '_' : name[i];

        if (letter != wanted[i])
            return false;
    }
    return true;
}

static const struct option *option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < option_count; i++) {
        if (name_is(name, length, option_table[i].name))
            return &option_table[i];
    }
    return NULL;
}

static bool is_one_of(const char *name, size_t length, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name_is(name, length, names[i]))
            return true;
    }
    return false;
}

/* One "name" or "name=value". */
static int parse_one(const char *text, struct options *options, struct tfs_message *message)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    const struct option *option;

    if (length >= 2 && (text[0] == 'x' || text[0] == 'X') && text[1] == '-')
        return 0; /* x-systemd.automount and its like: comments for others, see mount(8) */
    if (is_one_of(text, length, option_dropped, option_dropped_count))
        return 0; /* user=NAME and comment=TEXT have a value, others have none */
    if (is_one_of(text, length, option_kernel, option_kernel_count)) {
        options->remount_has_all = true;
        return 0;
    }
    option = option_find(text, length);
    if (!option)
        return refuse(message, "unknown option '%.*s' (see tensorfs --help)", (int)length, text);
    options->given[option - option_table] = true;
    return option_apply(option, equals ? equals + 1 : NULL, options, message);
}

/* The size of a value in double quotes at `text`, with them; 0: it is none. */
static size_t quoted_size(const char *text)
{
    const char *end = *text == '"' ? strchr(text + 1, '"') : NULL;

    return end && (end[1] == ',' || end[1] == '\0') ? (size_t)(end + 1 - text) : 0;
}

/* Takes the first option off the list, without quotes and the comma. Returns false when it is too
 * long. */
static bool take_one(const char **list, char *one, size_t size)
{
    const char *quoted_end = NULL; /* once the value has begun: of its part in quotes */
    const char *at = *list;
    size_t length = 0;

    for (; *at && (*at != ',' || at < quoted_end); at++) {
        if (at + 1 == quoted_end) /* the closing one */
            continue;
        if (at[0] == '\\' && at[1])
            at++;
        if (length >= size - 1)
            return false;
        one[length++] = *at;
        if (*at == '=' && !quoted_end) {
            quoted_end = at + 1 + quoted_size(at + 1);
            at = quoted_end > at + 1 ? at + 1 : at;
        }
    }
    one[length] = '\0';
    *list = *at ? at + 1 : at;
    return true;
}

/* "name,name=value,...": a comma in a value is written as "\,", or the value stands in double
 * quotes, as mount(8) has it for labels of SELinux. */
static int parse_list(const char *list, struct options *options, struct tfs_message *message)
{
    char one[PATH_MAX + 64];

    while (*list) {
        int err = 0;

        if (!take_one(&list, one, sizeof(one)))
            return refuse(message, "an option after -o is longer than %zu bytes", sizeof(one) - 1);
        if (one[0])
            err = parse_one(one, options, message);
        if (err < 0)
            return err;
    }
    return 0;
}

static int parse_short(const char *letters, struct options *options, struct tfs_message *message)
{
    for (; *letters; letters++) {
        size_t i = 0;
        int err;

        while (i < option_letter_count && option_letters[i].letter != *letters)
            i++;
        if (i == option_letter_count)
            return refuse(message, "unknown option '-%c' (see tensorfs --help)", *letters);
        err = parse_one(option_letters[i].name, options, message);
        if (err < 0)
            return err;
    }
    return 0;
}

struct arguments {
    char *const *values;
    int count;
    int next;
    const char *positional[2];
    int positional_count;
    bool only_positional; /* after "--" */
};

static int parse_argument(struct arguments *arguments, struct options *options,
                          struct tfs_message *message)
{
    const char *text = arguments->values[arguments->next++];

    if (arguments->only_positional || text[0] != '-' || text[1] == '\0') {
        if (arguments->positional_count == 2)
            return refuse(message, "'%s' is one argument too many (see tensorfs --help)", text);
        arguments->positional[arguments->positional_count++] = text;
        return 0;
    }
    if (strcmp(text, "--") == 0) {
        arguments->only_positional = true;
        return 0;
    }
    if (text[1] == '-')
        return parse_one(text + 2, options, message);
    if (text[1] != 'o')
        return parse_short(text + 1, options, message);
    if (text[2])
        return parse_list(text + 2, options, message);
    if (arguments->next == arguments->count)
        return refuse(message, "-o needs a list of options");
    return parse_list(arguments->values[arguments->next++], options, message);
}

static int take_path(const char *what, const char *path, char field[PATH_MAX],
                     struct tfs_message *message)
{
    size_t length = strlen(path);

    if (length == 0)
        return refuse(message, "the %s is an empty text", what);
    if (length >= PATH_MAX)
        return refuse(message, "the %s is longer than %d bytes", what, PATH_MAX - 1);
    memcpy(field, path, length + 1);
    return 0;
}

static int check_together(struct options *options, struct tfs_message *message)
{
    struct control_metrics_address address;

    if (options->remount_has_all && !options->remount)
        return refuse(message, "options of the kernel's (user_id, ...) are for remounts only");
    if (options->volume.cache_size > options->volume.memory_size)
        return refuse(message, "option cache: more than the whole budget of option memory");
    if (options->metrics[0] && !control_metrics_is_built_in())
        return refuse(message,
                      "option metrics: not built in, this tensorfs was made without libmicrohttpd");
    if (options->metrics[0] && control_metrics_parse(options->metrics, &address) < 0)
        return refuse(message, "option metrics: '%s' is not PORT, ADDRESS:PORT or [ADDRESS]:PORT",
                      options->metrics);
    if (options->debug) {
        options->foreground = true;
        options->log_level = TFS_LOG_DEBUG;
    }
    options->volume.lock_wait_ms = options->lock_wait_s * 1000u;
    return 0;
}

int options_parse(int argc, char *const argv[], struct options *ret, struct tfs_message *message)
{
    struct arguments arguments = {.values = argv, .count = argc, .next = 1};
    struct options options;
    int err;

    options_init(&options);
    while (arguments.next < argc) {
        err = parse_argument(&arguments, &options, message);
        if (err < 0)
            return err;
    }
    if (options.show_help || options.show_version) {
        *ret = options;
        return 0;
    }
    if (arguments.positional_count == 0)
        return refuse(message, "no mountpoint given (see tensorfs --help)");
    if (arguments.positional_count == 2) {
        err = take_path("store", arguments.positional[0], options.store, message);
        if (err < 0)
            return err;
    }
    err = take_path("mountpoint", arguments.positional[arguments.positional_count - 1],
                    options.mountpoint, message);
    if (err < 0)
        return err;
    err = check_together(&options, message);
    if (err < 0)
        return err;
    *ret = options;
    return 0;
}

/* ---- help ---- */

static const char *value_text(const struct option *option, const struct options *options,
                              char text[32])
{
    const char *field = (const char *)options + option->offset;

    text[0] = '\0';
    switch (option->kind) {
    case OPTION_SIZE:
    case OPTION_POWER:
        return size_text(*(const uint64_t *)(const void *)field, text);
    case OPTION_COUNT:
        (void)snprintf(text, 32, "%u", *(const unsigned *)(const void *)field);
        return text;
    case OPTION_CODEC:
        codec_spec_format((const struct codec_spec *)(const void *)field, text, 32);
        return text;
    case OPTION_LEVEL:
        return tfs_log_level_name(*(const enum tfs_log_level *)(const void *)field);
    default:
        return text;
    }
}

/* The same for every kind: what is set is "true". `text` is for the caller to keep. */
static const char *any_value_text(const struct option *option, const struct options *options,
                                  char text[32])
{
    const char *field = (const char *)options + option->offset;

    switch (option->kind) {
    case OPTION_TEXT:
        return field;
    case OPTION_SET:
    case OPTION_CLEAR:
        return *(const bool *)(const void *)field ? "true" : "false";
    default:
        return value_text(option, options, text);
    }
}

bool options_is_given(const struct options *options, const char *name)
{
    const struct option *option = option_find(name, strlen(name));

    return option && options->given[option - option_table];
}

bool options_holds(const struct options *options, const char *name)
{
    const struct option *option = option_find(name, strlen(name));
    const bool *field;

    if (!option || (option->kind != OPTION_SET && option->kind != OPTION_CLEAR))
        return false;
    field = (const bool *)(const void *)((const char *)options + option->offset);
    return *field == (option->kind == OPTION_SET);
}

int options_take(struct options *options, const char *name, const char *value)
{
    const struct option *option = option_find(name, strlen(name));
    struct tfs_message ignored;

    if (!option)
        return tfs_fail(-EINVAL, "there is no option '%s'", name);
    return option_apply(option, takes_value(option->kind) ? value : NULL, options, &ignored);
}

static bool is_in(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

int options_check_same(const struct options *options, const struct options *now,
                       const char *const *changeable, struct tfs_message *message)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        char text_asked[32];
        char text_now[32];
        const char *is;

        if (!options->given[i] || is_in(option->name, changeable))
            continue;
        is = any_value_text(option, now, text_now);
        if (strcmp(any_value_text(option, options, text_asked), is) == 0)
            continue;
        if (!takes_value(option->kind))
            return refuse(message, "option %s cannot be changed while '%s' is mounted",
                          option->name, options->mountpoint);
        return refuse(message, "option %s cannot be changed while '%s' is mounted; it is '%s'",
                      option->name, options->mountpoint, is);
    }
    return 0;
}

void options_visit(const struct options *options,
                   void (*visit)(void *context, const char *name, const char *value), void *context)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        const char *field = (const char *)options + option->offset;
        char text[32];
        const char *value = value_text(option, options, text);

        if (option->kind == OPTION_TEXT)
            value = field;
        else if (option->kind == OPTION_SET && *(const bool *)(const void *)field)
            value = "true";
        if (*value && option->help)
            visit(context, option->name, value);
    }
}

void options_print_help(FILE *stream)
{
    struct options defaults;
    char text[32];

    options_init(&defaults);
    (void)fprintf(
        stream, "usage: tensorfs [OPTIONS] [STORE] MOUNTPOINT\n"
                "\n"
                "Mount the store STORE on the directory MOUNTPOINT; make the store on first use.\n"
                "STORE is $TENSORFS_STORE when not given, else the mountpoint's path with '-' for\n"
                "'/' and \\x2d for '-' in ${XDG_DATA_HOME:-~/.local/share}/tensorfs. Unmount with\n"
                "fusermount3 -u.\n"
                "\n");
    for (size_t i = 0; i < option_letter_count; i++)
        (void)fprintf(stream, "  -%c, --%-18s %s\n", option_letters[i].letter,
                      option_letters[i].name, option_letters[i].help);
    (void)fprintf(stream, "  -o NAME[=VALUE],...       any of these without the dashes\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        const char *value = value_text(option, &defaults, text);

        if (!option->help)
            continue;
        (void)fprintf(stream, "      --%-19s %s%s%s%s\n", option->name, option->help,
                      *value ? " [" : "", value, *value ? "]" : "");
    }
}
