/*
 * A model is a list of shapes first; names and sizes are those of a decoder-only transformer, so
 * that files have as many tensors of as different sizes as real ones.
 */
#include "tools/bench/model/model_layout.h"

#include "tools/bench/model/random.h"
#include "tools/common/console.h"
#include "tools/common/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HIDDEN_MIN = 64, HIDDEN_MAX = 8192, LAYERS_WANTED = 8 };

double model_bytes_per_parameter(const struct model_spec *spec)
{
    double bytes = 0;

    for (int kind = 0; kind < TENSOR_BYTES; kind++)
        bytes += spec->copies[kind] * tensor_kind_width(kind);
    return bytes;
}

static int mix_parse_part(const char *part, size_t size, struct model_spec *spec)
{
    char text[64];
    char *equals;
    char *end;
    enum tensor_kind kind;
    double copies;

    if (size >= sizeof(text))
        return -EINVAL;
    (void)memcpy(text, part, size);
    text[size] = '\0';
    equals = strchr(text, '=');
    if (!equals)
        return -EINVAL;
    *equals = '\0';
    copies = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '\0' || !(copies > 0 && copies <= 16))
        return -EINVAL;
    if (tensor_kind_parse(text, &kind) < 0)
        return -EINVAL;
    spec->copies[kind] = copies;
    return 0;
}

int model_parse_mix(const char *text, struct model_spec *spec)
{
    enum tensor_kind kind;

    (void)memset(spec->copies, 0, sizeof(spec->copies));
    if (tensor_kind_parse(text, &kind) == 0) {
        spec->copies[kind] = 1;
        return 0;
    }
    if (strcmp(text, "train") == 0) {
        spec->copies[TENSOR_BF16] = 1;
        spec->copies[TENSOR_ADAM_M] = 1;
        spec->copies[TENSOR_ADAM_V] = 1;
        return 0;
    }
    for (;;) {
        size_t size = strcspn(text, ",");
        int err = mix_parse_part(text, size, spec);

        if (err < 0)
            return err;
        if (text[size] == '\0')
            return 0;
        text += size + 1;
    }
}

static int layout_append(struct model *model, const struct tensor *tensor)
{
    if (model->count >= MODEL_TENSORS_MAX)
        return console_fail(-E2BIG, "a model of more than %d tensors", MODEL_TENSORS_MAX);
    if ((model->count & (model->count - 1)) == 0) { /* 0 or a power of two: full */
        size_t capacity = model->count ? model->count * 2 : 1;
        struct tensor *tensors = realloc(model->tensors, capacity * sizeof(*tensors));

        if (!tensors)
            return console_fail(-ENOMEM, "a model of %zu tensors", capacity);
        model->tensors = tensors;
    }
    model->tensors[model->count++] = *tensor;
    model->bytes += tensor->bytes;
    return 0;
}

/* rows 0 makes a tensor of one dimension. */
static int layout_tensor(struct model *model, enum tensor_kind kind, const char *name,
                         uint64_t rows, uint64_t columns)
{
    struct tensor tensor = {.kind = kind, .dimension_count = rows ? 2 : 1};

    (void)snprintf(tensor.name, sizeof(tensor.name), "%s%s", tensor_kinds[kind].prefix, name);
    tensor.shape[0] = rows ? rows : columns;
    tensor.shape[1] = rows ? columns : 0;
    tensor.bytes = (rows ? rows : 1) * columns * tensor_kind_width(kind);
    return layout_append(model, &tensor);
}

static int layout_layer(struct model *model, enum tensor_kind kind, uint64_t layer, uint64_t hidden)
{
    static const struct {
        const char *name;
        unsigned rows; /* in units of the hidden size; 0: a vector */
        unsigned columns;
    } parts[] = {
        {"input_layernorm", 0, 1},          {"mlp.down_proj", 1, 4},    {"mlp.up_proj", 4, 1},
        {"post_attention_layernorm", 0, 1}, {"self_attn.k_proj", 1, 1}, {"self_attn.o_proj", 1, 1},
        {"self_attn.q_proj", 1, 1},         {"self_attn.v_proj", 1, 1},
    };
    char name[MODEL_NAME_BYTES_MAX / 2];

    for (size_t i = 0; i < TFS_ARRAY_COUNT(parts); i++) {
        int err;

        (void)snprintf(name, sizeof(name), "layers.%llu.%s.weight", (unsigned long long)layer,
                       parts[i].name);
        err = layout_tensor(model, kind, name, parts[i].rows * hidden, parts[i].columns * hidden);
        if (err < 0)
            return err;
    }
    return 0;
}

/*
 * A decoder with a hidden size h has 12 h^2 + 2 h elements in a layer. The largest power of two
 * that leaves room for LAYERS_WANTED layers is taken; an eighth and what is left over become the
 * embedding, the last few a vector.
 */
static int layout_kind(struct model *model, enum tensor_kind kind, uint64_t elements)
{
    uint64_t hidden = HIDDEN_MIN;
    uint64_t layer_elements;
    uint64_t layers;
    uint64_t rest;
    int err;

    while (hidden < HIDDEN_MAX && 12 * (hidden * 2) * (hidden * 2) * LAYERS_WANTED <= elements)
        hidden *= 2;
    layer_elements = 12 * hidden * hidden + 2 * hidden;
    layers = elements / 8 * 7 / layer_elements;
    for (uint64_t layer = 0; layer < layers; layer++) {
        err = layout_layer(model, kind, layer, hidden);
        if (err < 0)
            return err;
    }
    rest = elements - layers * layer_elements;
    if (rest / hidden > 0) {
        err = layout_tensor(model, kind, "embed_tokens.weight", rest / hidden, hidden);
        if (err < 0)
            return err;
    }
    return rest % hidden > 0 ? layout_tensor(model, kind, "norm.weight", 0, rest % hidden) : 0;
}

/* safetensors' order: widest elements first, then names; torch and npy do not care. */
static int tensor_order(const void *a, const void *b)
{
    const struct tensor *x = a;
    const struct tensor *y = b;
    unsigned x_width = tensor_kind_width(x->kind);
    unsigned y_width = tensor_kind_width(y->kind);

    if (x_width != y_width)
        return x_width > y_width ? -1 : 1;
    return strcmp(x->name, y->name);
}

int model_layout(struct model *model, const struct model_spec *spec)
{
    uint64_t seed = spec->seed;

    for (int kind = 0; kind < TENSOR_BYTES; kind++) {
        uint64_t elements = (uint64_t)llround((double)spec->parameters * spec->copies[kind]);
        int err = elements ? layout_kind(model, (enum tensor_kind)kind, elements) : 0;

        if (err < 0)
            return err;
    }
    if (model->count == 0)
        return console_reject("a model of %llu parameters holds no tensor",
                              (unsigned long long)spec->parameters);
    qsort(model->tensors, model->count, sizeof(*model->tensors), tensor_order);
    for (size_t i = 0; i < model->count; i++)
        model->tensors[i].seed = random_splitmix(&seed);
    return 0;
}

static int layout_file(struct model *model, int directory, const char *entry, const char *name)
{
    struct tensor tensor = {.kind = TENSOR_BYTES, .dimension_count = 1};
    struct stat status;

    if (fstatat(directory, entry, &status, 0) < 0)
        return console_fail(-errno, "'%s'", entry);
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return 0;
    if (strlen(name) >= sizeof(tensor.name))
        return console_fail(-ENAMETOOLONG, "'%s'", name);
    (void)memcpy(tensor.name, name, strlen(name) + 1);
    tensor.shape[0] = (uint64_t)status.st_size;
    tensor.bytes = (uint64_t)status.st_size;
    return layout_append(model, &tensor);
}

static int layout_directory(struct model *model, DIR *directory)
{
    struct dirent *entry;
    int err;

    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        err = layout_file(model, dirfd(directory), entry->d_name, entry->d_name);
        if (err < 0)
            return err;
    }
    return errno ? console_fail(-errno, "reading the model's directory") : 0;
}

int model_layout_files(struct model *model, const char *path)
{
    const char *slash = strrchr(path, '/');
    DIR *directory = opendir(path);
    int err;

    if (directory) {
        err = layout_directory(model, directory);
        (void)closedir(directory); /* read-only, nothing to lose */
    } else if (errno == ENOTDIR) {
        err = layout_file(model, AT_FDCWD, path, slash ? slash + 1 : path);
    } else {
        return console_fail(-errno, "model '%s'", path);
    }
    if (err < 0)
        return err;
    if (model->count == 0)
        return console_reject("model '%s': no files with content", path);
    qsort(model->tensors, model->count, sizeof(*model->tensors), tensor_order);
    return 0;
}

static int file_read(const char *path, struct tensor *tensor)
{
    uint64_t done = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return console_fail(-errno, "'%s'", path);
    while (done < tensor->bytes) {
        ssize_t size = read(fd, tensor->data + done, tensor->bytes - done);

        if (size <= 0) {
            int err = size < 0 ? -errno : -EIO;

            (void)close(fd); /* read-only, nothing to lose */
            return console_fail(err, "reading '%s'", path);
        }
        done += (uint64_t)size;
    }
    (void)close(fd); /* read-only, nothing to lose */
    return 0;
}

int model_read_files(struct model *model, const char *path)
{
    struct stat status;
    bool single = stat(path, &status) == 0 && S_ISREG(status.st_mode);
    char file[PATH_MAX];

    for (size_t i = 0; i < model->count; i++) {
        int err;

        if (single)
            (void)snprintf(file, sizeof(file), "%s", path);
        else
            (void)snprintf(file, sizeof(file), "%s/%s", path, model->tensors[i].name);
        err = file_read(file, &model->tensors[i]);
        if (err < 0)
            return err;
    }
    return 0;
}
