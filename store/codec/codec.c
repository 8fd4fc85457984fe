/*
 * Names and specifications of codecs.
 */
#include "store/codec/codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { GZIP_LEVEL_MAX = 9, ZSTD_LEVEL_MAX = 19 };

struct codec_description {
    const char *name;
    int level_default, level_max; /* 0: the codec has no levels */
};

static const struct codec_description descriptions[CODEC_ID_COUNT] = {
    [CODEC_NONE] = {"none", 0, 0},
    [CODEC_GZIP] = {"gzip", CODEC_GZIP_LEVEL_DEFAULT, GZIP_LEVEL_MAX},
    [CODEC_ZSTD] = {"zstd", CODEC_ZSTD_LEVEL_DEFAULT, ZSTD_LEVEL_MAX},
    [CODEC_AUTO] = {"auto", 0, 0},
};

/* One or two digits and nothing else, 1..max. */
static int level_parse(const char *text, int max, int *ret)
{
    int level = 0;
    size_t length = strlen(text);

    if (length < 1 || length > 2 || strspn(text, "0123456789") != length || text[0] == '0')
        return -EINVAL;
    for (size_t i = 0; i < length; i++)
        level = level * 10 + (text[i] - '0');
    if (level > max)
        return -EINVAL;
    *ret = level;
    return 0;
}

int codec_spec_parse(const char *text, struct codec_spec *ret)
{
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);

    for (int id = 0; id < CODEC_ID_COUNT; id++) {
        const struct codec_description *description = &descriptions[id];
        int level = description->level_default;

        if (strlen(description->name) != length || memcmp(text, description->name, length) != 0)
            continue;
        if (colon && level_parse(colon + 1, description->level_max, &level) < 0)
            return -EINVAL;
        *ret = (struct codec_spec){.codec = (enum codec_id)id, .level = level};
        return 0;
    }
    return -EINVAL;
}

void codec_spec_format(const struct codec_spec *spec, char *dst, size_t size)
{
    if (spec->level != 0)
        (void)snprintf(dst, size, "%s:%d", codec_id_name(spec->codec), spec->level);
    else
        (void)snprintf(dst, size, "%s", codec_id_name(spec->codec));
}

bool codec_spec_is_valid(const struct codec_spec *spec)
{
    if ((unsigned)spec->codec >= CODEC_ID_COUNT)
        return false;
    if (descriptions[spec->codec].level_max == 0)
        return spec->level == 0;
    return spec->level >= 1 && spec->level <= descriptions[spec->codec].level_max;
}

const char *codec_id_name(enum codec_id codec)
{
    return (unsigned)codec < CODEC_ID_COUNT ? descriptions[codec].name : "unknown";
}

const char *codec_method_name(enum codec_method method)
{
    static const char *const names[CODEC_METHOD_COUNT] = {
        [CODEC_METHOD_RAW] = "raw",         [CODEC_METHOD_CONSTANT] = "constant",
        [CODEC_METHOD_DEFLATE] = "deflate", [CODEC_METHOD_ZSTD] = "zstd",
        [CODEC_METHOD_PLANES] = "planes",
    };

    return (unsigned)method < CODEC_METHOD_COUNT ? names[method] : "unknown";
}

const char *codec_kind_name(enum codec_kind kind)
{
    static const char *const names[CODEC_KIND_COUNT] = {
        [CODEC_KIND_UNKNOWN] = "unknown",
        [CODEC_KIND_ZERO] = "zero",
        [CODEC_KIND_CONSTANT] = "constant",
        [CODEC_KIND_BF16] = "bf16",
        [CODEC_KIND_FP16] = "fp16",
        [CODEC_KIND_FP32] = "fp32",
        [CODEC_KIND_FP32_SHORT] = "fp32_short",
        [CODEC_KIND_FP64] = "fp64",
        [CODEC_KIND_BYTES] = "bytes",
        [CODEC_KIND_INT16] = "int16",
        [CODEC_KIND_INT32] = "int32",
        [CODEC_KIND_INT64] = "int64",
        [CODEC_KIND_SPARSE] = "sparse",
        [CODEC_KIND_TEXT] = "text",
        [CODEC_KIND_INCOMPRESSIBLE] = "incompressible",
        [CODEC_KIND_MIXED] = "mixed",
    };

    return (unsigned)kind < CODEC_KIND_COUNT ? names[kind] : "unknown";
}
