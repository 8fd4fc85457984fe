/*
 * The command on its own, for developers and for machines where only it is built; users have it as
 * `tensorfs-bench validate`.
 */
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/options.h"
#include "tools/common/output.h"
#include "tools/validate/validate.h"

const struct options_tool options_tool = {.name = "tensorfs-validate"};

int main(int argc, char **argv)
{
    output_begin();
    console_init(false);
    interrupt_install();
    return validate_main(argc, argv);
}
