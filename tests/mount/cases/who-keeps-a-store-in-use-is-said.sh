# CASE: who has a store, where and since when, and who keeps its mount from ending, is said; and by umount at once
# MOUNT: none
# NEEDS: root unshare findmnt flock
. "$TFS_LIB"
helper=$(dirname "$TFS_LIB")/../../packaging/umount.fuse.tensorfs
PATH=$(dirname "$TENSORFSCTL"):$PATH
second=$WORK/second
mkdir "$second"

start() {
    "$TENSORFS" "$@" "$STORE" "$MNT" >/dev/null
    daemon=$(cut -d' ' -f1 "$STORE/holder")
    [ -d "/proc/$daemon" ] || fail "the note names no process: $(cat "$STORE/holder")"
}
said() {
    grep -qE -- "$1" "$WORK/said" || fail "said: $(cat "$WORK/said"), wanted: $1"
}
mounted_here="the store '.*' is in use by process [0-9]+, mounted on '$MNT' since 20[0-9-]+ [0-9:]+"

# A mount waits for a second before it says for whom, and says it again when it gives up.
start
! "$TENSORFS" -o lock_wait=2 "$STORE" "$second" 2>"$WORK/said" || fail "two mounts of a store"
expect_equal 2 "$(wc -l <"$WORK/said")" "lines of a mount that has waited"
said "^tensorfs: $mounted_here; waiting for it for 1 s more$"
said "^tensorfs: $mounted_here$"
said "process $daemon,"
! "$TENSORFSCTL" check "$STORE" 2>"$WORK/said" || fail "a store in use was checked"
said "$mounted_here"

# The note goes with the mount; one that a crash has left, or anything else there, is not believed.
"$helper" "$MNT"
[ ! -e "$STORE/holder" ] || fail "a note was left"
printf '%s 1 0:1 /elsewhere\n' $$ >"$STORE/holder"
flock --no-fork "$STORE" sleep 600 &
locker=$!
wait_for 60 grep -q " FLOCK .* $locker .*:$(stat -c %i "$STORE") " /proc/locks
! "$TENSORFS" -o lock_wait=0 "$STORE" "$MNT" 2>"$WORK/said" || fail "mounted in spite of the lock"
said "in use by process $locker \((flock|sleep)\)$"
head -c 9000 /dev/urandom >"$STORE/holder"
! "$TENSORFS" -o lock_wait=0 "$STORE" "$MNT" 2>"$WORK/said" || fail "mounted in spite of the lock"
said "in use by process $locker \((flock|sleep)\)$"
kill $locker
wait $locker || true

# Another mount namespace has a copy: the process lives on. The helper says so at once, and all is durable.
start -o commit_interval=0
unshare --mount --propagation private sh -c "touch '$WORK/copied'; exec sleep 600" &
copier=$!
wait_for 60 test -e "$WORK/copied"
echo text >"$MNT/file"
before=$SECONDS
TENSORFS_UMOUNT_WAIT=300 "$helper" "$MNT" 2>"$WORK/said"
[ $((SECONDS - before)) -lt 60 ] || fail "the helper took $((SECONDS - before)) s"
said "unmounted, but process $copier \((sleep|sh)\) has a copy of the mount"
said "stays in use by process $daemon until"
! "$TENSORFS" -o lock_wait=0 "$STORE" "$second" 2>"$WORK/said" || fail "two mounts of a store"
said "$mounted_here; unmounted here, but process $copier \((sleep|sh)\) has that mount in a mount namespace"
kill $copier
wait $copier || true
wait_for 60 flock --nonblock "$STORE" true

# The process was killed, and the store is mounted elsewhere: there is nothing to wait for.
start
kill -KILL "$daemon"
wait_for 60 flock --nonblock "$STORE" true
"$TENSORFS" "$STORE" "$second" >/dev/null
before=$SECONDS
"$helper" "$MNT" 2>"$WORK/said"
[ $((SECONDS - before)) -lt 30 ] || fail "the helper waited for the other mount"
[ ! -s "$WORK/said" ] || fail "said: $(cat "$WORK/said")"
! mountpoint -q "$MNT" || fail "the dead mount is still there"
expect_equal text "$(cat "$second/file")" "the file on the other mount"
umount "$second"

# SIGTERM to a mount that others have by now.
start
unshare --mount --propagation private sh -c "touch '$WORK/copied2'; exec sleep 600" &
copier=$!
wait_for 60 test -e "$WORK/copied2"
kill -TERM "$daemon"
wait_for 60 flock --nonblock "$STORE" true
kill $copier
wait $copier || true
"$TENSORFS" -f "$STORE" "$MNT" >"$WORK/said" 2>&1 &
daemon=$!
wait_for 60 mountpoint -q "$MNT"
unshare --mount --propagation private sh -c "touch '$WORK/copied3'; exec sleep 600" &
copier=$!
wait_for 60 test -e "$WORK/copied3"
umount "$MNT"
kill -TERM "$daemon"
wait "$daemon" || fail "the daemon ended with $?"
said "'$MNT' was unmounted, and lives on in the mount namespace of process $copier \((sleep|sh)\), mnt:"
kill $copier
wait $copier || true
