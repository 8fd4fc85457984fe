# CASE: git commits, clones, merges, repacks and checks, and finds its tree clean after a remount
# NEEDS: git
# TIMEOUT: 240
. "$TFS_LIB"

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$WORK
export GIT_AUTHOR_NAME=tester GIT_AUTHOR_EMAIL=t@example.org
export GIT_COMMITTER_NAME=tester GIT_COMMITTER_EMAIL=t@example.org
repo=$MNT/repo
git init -q -b main "$repo"
cd "$repo" || exit
for round in $(seq 15); do
    mkdir -p "src/part-$((round % 4))"
    for i in $(seq 20); do
        echo "round $round file $i $RANDOM" >>"src/part-$((round % 4))/file-$i.c"
    done
    head -c 100000 /dev/urandom >blob
    git add -A
    git commit -q -m "round $round"
    [ $((round % 5)) != 0 ] || git tag "v$round"
done
git mv src/part-1 src/moved
git commit -q -am "move a directory"
git switch -q -c side v10
echo side >side
git add side
git commit -q -m side
git switch -q main
git merge -q --no-edit side

git clone -q "$repo" "$MNT/clone"
git clone -q --no-hardlinks --bare "$repo" "$MNT/bare.git"
git -C "$MNT/clone" gc -q --aggressive --prune=now
git -C "$MNT/clone" fsck --strict --no-progress
git worktree add -q "$MNT/tree" side
git gc -q
git fsck --strict --no-progress
head=$(git rev-parse HEAD)
git status --porcelain >/dev/null # refreshes the index with the times of now
cd "$WORK" || exit

"$TFS_PYTHON" "$(dirname "${BASH_SOURCE[0]}")/../files.py" remember "$MNT"
control remount
"$TFS_PYTHON" "$(dirname "${BASH_SOURCE[0]}")/../files.py" expect "$MNT"
for place in repo clone tree; do
    git -C "$MNT/$place" fsck --strict --no-progress
    expect_equal "" "$(git -C "$MNT/$place" status --porcelain)" "status of $place"
    # Without refreshing: every inode number, size and time is what the index remembers.
    expect_equal "" "$(git -C "$MNT/$place" diff-files)" "files that $place takes for changed"
done
expect_equal "$head" "$(git -C "$MNT/clone" rev-parse HEAD)" "HEAD of the clone"
git clone -q "$MNT/bare.git" "$MNT/again"
diff -r --exclude=.git "$MNT/repo" "$MNT/again"
