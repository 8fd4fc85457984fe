# CASE: the same for 100 sizes, so that the end comes at each step of a save
# LABELS: long
# MOUNT: none
# PLAIN: no
# NEEDS: root
# TIMEOUT: 3600
import fault_driver
import full_disks

full_disks.fill_all(range(20000, 60000, 404), fault_driver.seeded()[1])
