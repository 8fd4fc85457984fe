# CASE: 10,000 flips in segments, index and FORMAT of stored stores are noticed or harmless
# LABELS: long
# MOUNT: none
# PLAIN: no
# TIMEOUT: 7200
import fault_driver

fault_driver.flip(10000)
