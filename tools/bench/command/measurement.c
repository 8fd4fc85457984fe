/*
 * Nothing is printed of a measurement that failed, and what was opened is closed on every path.
 */
#include "tools/bench/command/measurement.h"

#include "tools/bench/json/json_value.h"
#include "tools/bench/report/results.h"

static int measurement_run(const struct measurement *measurement,
                           const struct common_settings *settings, void *state, cJSON **ret_results)
{
    int err = measurement->open(state);

    if (err == 0)
        err = measurement->measure(state);
    if (err == 0)
        err =
            results_new(measurement->command->name, &settings->target, settings->seed, ret_results);
    if (err < 0)
        return err;
    measurement->add_results(state, *ret_results);
    return settings->json ? 0 : measurement->print(state, *ret_results);
}

int measurement_main(const struct measurement *measurement, struct common_settings *settings,
                     void *state, int argc, char **argv)
{
    tfs_cleanup(json_delete_p) cJSON *results = NULL;
    char **operands;
    int err;

    common_init(settings);
    err = common_parse(measurement->command, argc, argv, settings, &operands);
    if (err == OPTIONS_DONE)
        return BENCH_OK;
    if (err < 0 || common_demand_directory(measurement->command, settings) < 0)
        return BENCH_USAGE;
    err = measurement_run(measurement, settings, state, &results);
    measurement->close(state);
    return common_finish(settings, results, err);
}
