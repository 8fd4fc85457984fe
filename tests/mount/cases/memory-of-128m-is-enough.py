# CASE: with memory=128M eight writers and readers at once get all of their bytes, compressed
# OPTIONS: memory=128M,compression=zstd:1
# PLAIN: no
# AFTER: none
# TIMEOUT: 240
from memory_budget import MIB, check

check(512 * MIB, 320 * MIB, files=8)
