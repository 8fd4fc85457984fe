# CASE: no file of a store is open to group or others, whatever the umask of who mounts it, checks it, scrubs it or collects garbage
# MOUNT: none
# PLAIN: no
. "$TFS_LIB"

# expect_private WHEN
expect_private() {
    local open
    open=$(find "$STORE" -perm /077 -printf '%M %P\n')
    [ -z "$open" ] || fail "after $1 others may use: $open"
}

save() {
    "$TENSORFS" "$STORE" "$MNT" >"$WORK/said"
    random_file "$MNT/file" 3000000
    cp "$MNT/file" "$MNT/another"
    rm "$MNT/another"
    expect_private "saving"
    umount "$MNT"
    flock "$STORE" true
    expect_private "an unmount"
}

umask 0
rmdir "$STORE"
save
# Each of these opens the index in its own way.
for command in "check" "check --repair" "scrub --deep --rate=100M" "gc" "status" "du --store=$STORE"; do
    target=$STORE
    [[ $command != du* ]] || target=/
    # shellcheck disable=SC2086 # a command and its options
    "$TENSORFSCTL" --quiet $command "$target" >/dev/null
    expect_private "tensorfsctl $command"
done
# Stopped, it leaves its place in the store.
if timeout --signal=INT 0.3 "$TENSORFSCTL" scrub --restart --rate=1K "$STORE" >/dev/null 2>&1; then
    fail "a scrub at 1 KiB a second was done at once"
fi
expect_private "a scrub that was stopped"
save
