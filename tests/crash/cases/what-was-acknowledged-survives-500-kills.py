# CASE: seven kinds of savers find all that was acknowledged, no byte wrong, after 500 kills
# LABELS: long
# OPTIONS: commit_interval=1
# TIMEOUT: 7200
import crash_driver

crash_driver.run(kills=500)
