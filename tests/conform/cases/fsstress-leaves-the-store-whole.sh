# CASE: after a million operations of fsstress by four processes the mount serves, and keeps what it had
# LABELS: long
# NEEDS: root
# TIMEOUT: 14400
#
# FSSTRESS=PATH is the fsstress of xfstests. FSSTRESS_OPERATIONS says how many for each of the four
# processes, TFS_SEED with what seed. The tree that the last round leaves is compared after a crash
# and a remount, as after every case.
. "$TFS_LIB"
. "$(dirname "$0")/../lib.sh"

fsstress=$(given_program FSSTRESS fsstress)
[ -n "$fsstress" ] || no_copy FSSTRESS
operations=${FSSTRESS_OPERATIONS:-250000}
seed=${TFS_SEED:-$((RANDOM + 1))}
echo "seed $seed"

# stress ROUND COUNT: fsstress reports no error of an operation, for it cannot know which are right.
stress() {
    mkdir "$MNT/$1"
    "$fsstress" -d "$MNT/$1" -p 4 -n "$2" -s "$((seed + $1))" >"$WORK/$1.log" 2>&1 ||
        fail "fsstress -s $((seed + $1)) ended with $?: $(tail -n 20 "$WORK/$1.log")"
}

# In rounds, so that names stay few enough for the last tree to be compared in a while.
rounds=10
for ((round = 1; round <= rounds; round++)); do
    stress "$round" "$((operations / rounds))"
    [ "$round" -eq "$rounds" ] || rm -rf "${MNT:?}/$round"
done
expect_equal "$rounds" "$(ls "$MNT")" "what is left of the rounds"
! grep -iE 'error|checksum|corrupt' "$LOG" || fail "the daemon had to complain"
