#include "tools/common/interrupt.h"

#include <signal.h>
#include <stdatomic.h>

/* Relaxed: a loop that sees the flag one step later does no harm, and nothing is published through
 * it. */
static atomic_int signal_seen;

static void interrupt_handle(int number)
{
    int none = 0;

    (void)atomic_compare_exchange_strong_explicit(&signal_seen, &none, number, memory_order_relaxed,
                                                  memory_order_relaxed); /* the first one counts */
}

void interrupt_install(void)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    /* Without SA_RESTART, so that waiting for a child or a reader returns at once. */
    struct sigaction action = {.sa_handler = interrupt_handle};

    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(caught); i++)
        (void)sigaction(caught[i], &action, NULL); /* fails only for numbers that are no signals */
    (void)signal(SIGPIPE, SIG_IGN);
}

bool interrupt_is_pending(void)
{
    return interrupt_signal() != 0;
}

int interrupt_signal(void)
{
    return atomic_load_explicit(&signal_seen, memory_order_relaxed);
}
