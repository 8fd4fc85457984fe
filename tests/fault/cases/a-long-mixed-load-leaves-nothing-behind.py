# CASE: after half an hour of saving, reading and removing, memory, files and disk are as before
# LABELS: long
# MOUNT: none
# PLAIN: no
# NEEDS: root
# TIMEOUT: 2700
import soak

soak.soak(seconds=1800)
