/*
 * The files that a command line names: each operand is a file, or a directory with all that lies
 * below it.
 */
#ifndef TFS_VALIDATE_FILE_LIST_H
#define TFS_VALIDATE_FILE_LIST_H

#include "tools/validate/file.h"
#include "tools/validate/inode_set.h"

struct file_list {
    struct validate_file **files;
    size_t count;
    size_t capacity;
    bool has_directory;
    bool has_every_name;     /* a file with two names is two files */
    size_t met_count;        /* files and links below directories, also those that are no news */
    struct inode_set inodes; /* of files below directories: the struct validate_file */
    struct inode_set directories;
};

/*
 * Find the files. Links that are named are followed, and so are links to files below a directory:
 * a file is there once, by whatever name says more, unless names matter, as they do to a manifest
 * or a copy. A link that leads to nothing is there, too, and will be a file that cannot be opened.
 * Links to directories below a directory are not followed; where one leads elsewhere, it is said.
 *
 * Ownership: *list is released with file_list_release, also after a failure.
 * Errors:    said: -ENOENT (an operand has nothing to check), -EMFILE (too many), -EINTR, -ENOMEM,
 *            of the directories.
 */
TFS_MUST_CHECK int file_list_find(const struct validate_options *options, struct file_list *list);
void file_list_release(struct file_list *list);

#endif
