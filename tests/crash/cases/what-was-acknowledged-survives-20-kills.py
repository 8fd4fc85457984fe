# CASE: seven kinds of savers find all that was acknowledged, no byte wrong, after 20 kills
# OPTIONS: commit_interval=1
# TIMEOUT: 300
import crash_driver

crash_driver.run(kills=20)
