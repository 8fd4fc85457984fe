# CASE: disks that get full in a save are ENOSPC, keep what was synced, and give room again
# MOUNT: none
# PLAIN: no
# NEEDS: root
import fault_driver
import full_disks

full_disks.fill_all((24011, 29392, 49188), fault_driver.seeded()[1])
