/*
 * The seven steps. Weights are bf16 throughout, which validate and score rely on.
 */
#include "tools/bench/workload/pipeline_item.h"

#include "store/base/bytes.h"
#include "tools/bench/formats/format.h"
#include "tools/common/console.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

const char *const pipeline_phase_names[PIPELINE_PHASE_COUNT] = {
    "generate", "save", "ensure_dir", "symlink", "load", "validate", "score",
};

static uint64_t model_hash(const struct model *model)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < model->count; i++)
        hash = XXH3_64bits_withSeed(model->tensors[i].data, model->tensors[i].bytes, hash);
    return hash;
}

static int step_generate(struct pipeline_item *item)
{
    int err = model_new(&item->spec, &item->model);

    if (err == 0)
        item->hash = model_hash(item->model);
    return err;
}

static void path_staged(const struct pipeline_item *item, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/staging-%04u.safetensors", item->work, item->index);
}

static void path_step(const struct pipeline_item *item, const char *file, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/runs/experiment/step-%04u%s", item->work, item->index, file);
}

static int step_save(struct pipeline_item *item)
{
    char path[PATH_MAX];

    path_staged(item, path);
    return format_safetensors.save(item->model, path, true);
}

static int make_directory(const char *path)
{
    struct stat status;

    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    return console_fail(-errno, "creating '%s'", path);
}

int pipeline_make_parents(const char *work)
{
    static const char *const parts[] = {"runs", "runs/experiment"};
    char path[PATH_MAX];
    int err = 0;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(parts) && err == 0; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", work, parts[i]);
        err = make_directory(path);
    }
    return err;
}

static int step_ensure_dir(struct pipeline_item *item)
{
    char path[PATH_MAX];
    int err = item->parents_exist ? 0 : pipeline_make_parents(item->work);

    if (err < 0)
        return err;
    path_step(item, "", path);
    return make_directory(path);
}

static int step_symlink(struct pipeline_item *item)
{
    char target[64];
    char path[PATH_MAX];

    (void)snprintf(target, sizeof(target), "../../../staging-%04u.safetensors", item->index);
    path_step(item, "/model.safetensors", path);
    return symlink(target, path) < 0 ? console_fail(-errno, "linking '%s'", path) : 0;
}

static int step_load(struct pipeline_item *item)
{
    char path[PATH_MAX];
    int err = model_new_like(item->model, &item->loaded);

    if (err < 0)
        return err;
    path_step(item, "/model.safetensors", path);
    return format_safetensors.load(item->loaded, path, SOURCE_READ);
}

/* bf16: NaN and infinity have all exponent bits set. */
static bool bf16_all_finite(const uint8_t *data, uint64_t bytes)
{
    unsigned bad = 0;

    for (uint64_t i = 0; i < bytes; i += 2)
        bad |= (tfs_get_le16(data + i) & 0x7f80) == 0x7f80;
    return bad == 0;
}

static int step_validate(struct pipeline_item *item)
{
    const struct model *model = item->loaded;

    if (model_hash(model) != item->hash)
        return console_fail(-EBADMSG, "item %u came back different", item->index);
    for (size_t i = 0; i < model->count; i++) {
        if (!bf16_all_finite(model->tensors[i].data, model->tensors[i].bytes))
            return console_fail(-EBADMSG, "item %u: '%s' holds NaN or infinity", item->index,
                                model->tensors[i].name);
    }
    return 0;
}

static float bf16_value(const uint8_t *at)
{
    uint32_t bits = (uint32_t)tfs_get_le16(at) << 16;
    float value;

    (void)memcpy(&value, &bits, sizeof(value));
    return value;
}

static int step_score(struct pipeline_item *item)
{
    const struct model *model = item->loaded;
    double squares = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct tensor *tensor = &model->tensors[i];

        for (uint64_t at = 0; at < tensor->bytes; at += 2) {
            double value = (double)bf16_value(tensor->data + at);

            squares += value * value;
        }
    }
    item->score = sqrt(squares / ((double)model->bytes / 2));
    return isfinite(item->score) && item->score > 0
               ? 0
               : console_fail(-EBADMSG, "item %u has no score", item->index);
}

pipeline_step *const pipeline_steps[PIPELINE_PHASE_COUNT] = {
    step_generate, step_save, step_ensure_dir, step_symlink, step_load, step_validate, step_score,
};

void pipeline_item_reset(struct pipeline_item *item)
{
    model_free(item->model);
    model_free(item->loaded);
    item->model = NULL;
    item->loaded = NULL;
}
