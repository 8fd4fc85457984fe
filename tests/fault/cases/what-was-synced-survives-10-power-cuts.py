# CASE: savers find all that was synced, no byte wrong, after 10 power cuts
# MOUNT: none
# PLAIN: no
# TIMEOUT: 120
import power_cuts

power_cuts.cut_power(cuts=10)
