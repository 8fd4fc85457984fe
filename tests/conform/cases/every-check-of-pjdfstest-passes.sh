# CASE: the whole of pjdfstest finds what POSIX says, as root
# LABELS: long
# NEEDS: root
# TIMEOUT: 3600
#
# PJDFSTEST=DIR is a built copy: DIR/pjdfstest and DIR/tests.
. "$TFS_LIB"

[ -n "${PJDFSTEST:-}" ] || skip "PJDFSTEST is not set; docs/TESTING.md says where to get a copy"
if [ ! -x "$PJDFSTEST/pjdfstest" ] || [ ! -d "$PJDFSTEST/tests" ]; then
    fail "PJDFSTEST=$PJDFSTEST has no program 'pjdfstest' or no folder 'tests'"
fi
command -v prove >/dev/null || skip "needs prove (package perl)"

mkdir "$MNT/pjdfstest"
cd "$MNT/pjdfstest"
files=$(find "$PJDFSTEST/tests" -name '*.t' | wc -l)
status=0
prove -r "$PJDFSTEST/tests" >"$WORK/prove.log" 2>&1 || status=$?
tail -n 3 "$WORK/prove.log"
[ "$status" -eq 0 ] || fail "$(grep -v '[.] ok$' "$WORK/prove.log")"
# A folder without tests passes, too.
[ "$files" -ge 200 ] || fail "PJDFSTEST=$PJDFSTEST has only $files files of tests"
grep -q "^Files=$files, Tests=[0-9]\{4,\}" "$WORK/prove.log" || fail "prove did not run all $files files"
