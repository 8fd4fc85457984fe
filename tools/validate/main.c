/*
 * The command on its own, for developers and for machines where only it is built; users have it as
 * `tensorfs-bench validate`.
 */
#include "tools/validate/validate.h"

int main(int argc, char **argv)
{
    return validate_main(argc, argv);
}
