# CASE: when calls beneath fail the right caller is told, and nothing acknowledged is lost
# MOUNT: none
# PLAIN: no
import fault_runs
import plans

fault_runs.run_all(plans.short())
