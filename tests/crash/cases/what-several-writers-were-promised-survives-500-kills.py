# CASE: the same after 500 kills
# LABELS: long
# OPTIONS: commit_interval=1,chunk_size=256K
# TIMEOUT: 7200
import crash_driver

crash_driver.run(kills=500, how="share", later="commit_interval=1")
