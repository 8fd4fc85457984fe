# CASE: with memory=512M writing and reading 1 GiB in four files keeps the daemon under 640 MiB
# OPTIONS: memory=512M,compression=none
# PLAIN: no
# AFTER: none
# TIMEOUT: 240
from memory_budget import MIB, check

check(1024 * MIB, 640 * MIB)
