# CASE: when calls fail while mounting it is refused with a line, and the next mount works
# MOUNT: none
# PLAIN: no
import fault_driver
import mount_faults

mount_faults.run_all((2,), fault_driver.seeded()[1])
