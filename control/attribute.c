#include "control/attribute.h"

#include "control/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

bool control_attribute_is_computed(const char *name)
{
    static const char *const names[] = {CONTROL_ATTRIBUTE_ADDRESS, CONTROL_ATTRIBUTE_SECOND_ADDRESS,
                                        CONTROL_ATTRIBUTE_INFO, CONTROL_ATTRIBUTE_STATS};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static int read_info(struct tfs_volume *volume, uint64_t inode, cJSON **ret)
{
    struct tfs_file_info info;
    int err = tfs_volume_get_file_info(volume, inode, &info);

    if (!err)
        *ret = control_json_of_file(&info);
    return err;
}

static int read_stats(struct tfs_volume *volume, uint64_t inode, cJSON **ret)
{
    struct tfs_volume_stats stats;

    if (inode != TFS_ROOT_INODE)
        return -ENODATA;
    tfs_volume_get_stats(volume, &stats);
    *ret = control_json_of_stats(&stats);
    return 0;
}

int control_attribute_read(struct tfs_volume *volume, uint64_t inode, const char *name, char **ret)
{
    cJSON *value = NULL;
    char *text;
    int err = -ENODATA;

    if (strcmp(name, CONTROL_ATTRIBUTE_INFO) == 0)
        err = read_info(volume, inode, &value);
    else if (strcmp(name, CONTROL_ATTRIBUTE_STATS) == 0)
        err = read_stats(volume, inode, &value);
    if (err)
        return err;
    text = cJSON_PrintUnformatted(value); /* NULL of NULL */
    cJSON_Delete(value);
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}
