# CASE: whichever call beneath fails, nothing acknowledged is lost and the store mounts again
# LABELS: long
# MOUNT: none
# PLAIN: no
# TIMEOUT: 3600
import fault_runs
import plans

fault_runs.run_all(plans.every_kth())
