# CASE: 60 flips in segments, index and FORMAT of stored stores are noticed or harmless
# MOUNT: none
# PLAIN: no
import fault_driver

fault_driver.flip(60)
