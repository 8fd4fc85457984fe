# CASE: savers find all that was synced, no byte wrong, after 1,000 power cuts
# LABELS: long
# MOUNT: none
# PLAIN: no
# TIMEOUT: 7200
import power_cuts

power_cuts.cut_power(cuts=1000)
