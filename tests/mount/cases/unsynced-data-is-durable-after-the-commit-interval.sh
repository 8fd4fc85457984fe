# CASE: what nobody synced survives a crash once commit_interval has passed
# OPTIONS: commit_interval=1
# PLAIN: no
. "$TFS_LIB"

mkdir "$MNT/directory"
random_file "$MNT/directory/closed" 5000000
echo small >"$MNT/directory/small"
exec 3>"$MNT/directory/open"
head -c 3000000 "$MNT/directory/closed" >&3
sums=$(cd "$MNT/directory" && sha256sum closed small open)
sleep 3 # the interval, and what a commit takes on a busy machine: this is about time
control kill9
exec 3>&- || true
control mount
expect_equal "$sums" "$(cd "$MNT/directory" && sha256sum closed small open)" "files after a crash"
