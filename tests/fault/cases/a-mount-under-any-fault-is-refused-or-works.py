# CASE: the same for each of the first 60 calls
# LABELS: long
# MOUNT: none
# PLAIN: no
# TIMEOUT: 3600
import fault_driver
import mount_faults

mount_faults.run_all(range(1, 61), fault_driver.seeded()[1])
