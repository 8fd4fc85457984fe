# CASE: six writers of one file, and one who cuts, punches and copies beside commits, find all that was acknowledged
# OPTIONS: commit_interval=1,chunk_size=256K
# TIMEOUT: 300
import crash_driver

# The files that are cut keep their many small chunks; those that several write, and that are always
# new, have large ones, which take longer to be written back.
crash_driver.run(kills=25, how="share", later="commit_interval=1")
