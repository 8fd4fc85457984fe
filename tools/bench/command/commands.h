/*
 * The subcommands. Each parses its own arguments (argv[0] is its name) and returns an exit status:
 * 0 ok, 1 a check or the measurement failed, 2 usage, 128 + N when signal N interrupted it.
 */
#ifndef TENSORFS_BENCH_COMMANDS_H
#define TENSORFS_BENCH_COMMANDS_H

int sweep_main(int argc, char **argv);
int saveload_main(int argc, char **argv);
int meta_main(int argc, char **argv);
int cache_main(int argc, char **argv);
int pipeline_main(int argc, char **argv);
int plot_main(int argc, char **argv);

#endif
