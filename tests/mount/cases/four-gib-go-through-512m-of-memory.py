# CASE: with memory=512M writing and reading 4 GiB in four files keeps the daemon under 640 MiB
# LABELS: long
# OPTIONS: memory=512M,compression=none
# PLAIN: no
# AFTER: none
# TIMEOUT: 900
from memory_budget import MIB, check

check(4096 * MIB, 640 * MIB)
