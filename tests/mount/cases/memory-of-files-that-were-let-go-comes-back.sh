# CASE: listing many files again and again leaves no memory behind once the kernel has let go of them
# OPTIONS: memory=64M
# PLAIN: no
# TIMEOUT: 240
. "$TFS_LIB"

[ "${TFS_SANITIZED:-0}" != 1 ] || skip "a sanitizer's memory is not ours: nothing gives it back"
files=30000
pid=$("$TENSORFSCTL" --json status "$MNT" | sed 's/.*"pid":\([0-9]*\).*/\1/')
resident_kib() {
    awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"
}
inodes() {
    getfattr --only-values -n user.tensorfs.stats "$MNT" |
        "$TFS_PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["memory"]["inodes"])'
}

"$TFS_PYTHON" - "$MNT" $files <<'PYTHON'
import os, sys
for i in range(int(sys.argv[2])):
    if i % 1000 == 0:
        os.mkdir(f"{sys.argv[1]}/{i // 1000}")
    os.close(os.open(f"{sys.argv[1]}/{i // 1000}/file-{i}", os.O_CREAT | os.O_WRONLY))
PYTHON
kernel_has_let_go() {
    control drop-caches
    [ "$(inodes)" -lt 1000 ]
}
for round in 1 2 3 4 5 6; do
    find "$MNT" -ls >/dev/null
    wait_for 30 kernel_has_let_go
done
# The index's caches and the buffers are the budget; without files this is 55 to 75 MiB.
is_small_again() {
    [ "$(resident_kib)" -lt $((120 * 1024)) ]
}
wait_for 30 is_small_again
echo "$(resident_kib) KiB after $round rounds"
