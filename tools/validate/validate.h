/*
 * The command `tensorfs-bench validate`: tensors in files, carried to a device and checked there.
 */
#ifndef TFS_VALIDATE_VALIDATE_H
#define TFS_VALIDATE_VALIDATE_H

/*
 * Run the command; argv[0] is its name, as main() gets it.
 *
 * Returns: the exit status: 0 nothing differs, 1 something differs, cannot be read or (with
 * --no-nan) is not finite, 2 the command line or the set-up is wrong, there is nothing to check, or
 * not all of the output was taken, 128 + N when signal N ended it (interrupt_install()). Threads:
 * one at a time, after console_init(); uses getopt's globals.
 */
int validate_main(int argc, char **argv);

#endif
