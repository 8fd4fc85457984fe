# CASE: tensorfsctl gc gives back the space of removed files, mounted or not, and touches no other
# PLAIN: no
. "$TFS_LIB"

random_file "$MNT/kept" 3000000
random_file "$MNT/dead" 30000000
sync -f "$MNT"
sum=$(sha256sum <"$MNT/kept")
rm "$MNT/dead"
"$TENSORFSCTL" --json gc "$MNT" >"$WORK/gc.json"
"$TFS_PYTHON" - "$WORK/gc.json" <<'END'
import json
import sys

gc = json.load(open(sys.argv[1], encoding="utf-8"))
assert 3_000_000 < gc["bytes_after"] < 8_000_000, gc
assert gc["kept_rows"] == 0, gc
END
expect_equal "$sum" "$(sha256sum <"$MNT/kept")" "what is not removed"
control unmount
"$TENSORFSCTL" gc "$STORE" | grep -q '^segments: ' || fail "gc of a store that is not mounted"
"$TENSORFSCTL" check "$STORE" >/dev/null || fail "the store is not clean after gc"
control mount
expect_equal "$sum" "$(sha256sum <"$MNT/kept")" "what is not removed, mounted again"
