# Helpers for shell cases, which run under `bash -eu`. Sourced as: . "$TFS_LIB"
# shellcheck shell=bash
set -o pipefail

# control COMMAND...: ask the runner (see Control in run_case.py).
control() {
    "$TFS_PYTHON" "$TFS_RUNNER" --control "$*"
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

skip() {
    echo "SKIP: $*"
    exit 77
}

# expect_equal WANTED GOT WHAT
expect_equal() {
    [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}

# expect_fail ERROR COMMAND...: the command fails and its stderr holds ERROR.
expect_fail() {
    local wanted=$1 said
    shift
    if said=$("$@" 2>&1 >/dev/null); then
        fail "'$*' succeeded, wanted '$wanted'"
    fi
    [[ $said == *"$wanted"* ]] || fail "'$*' said '$said', wanted '$wanted'"
}

# snapshot PATH...: every name, its attributes and its content below the paths, for comparison.
snapshot() {
    local path
    for path in "$@"; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            find "$path" -printf '%p %y %m %U %G %s %l %T@\n' | sort
            find "$path" -type f -exec sha256sum {} + | sort
        else
            echo "$path: absent"
        fi
    done
}

# refused REGEX TOUCHED... -- ARGUMENT...
#
# tensorfs with these arguments exits 1, prints nothing but one line on stderr that matches REGEX,
# mounts nothing, and leaves the paths TOUCHED (names that must stay absent, too) as they were.
refused() {
    local regex=$1 touched=() before after mounts status=0
    shift
    while [ "$1" != "--" ]; do
        touched+=("$1")
        shift
    done
    shift
    before=$(snapshot "${touched[@]}")
    mounts=$(mount_count)
    timeout 60 "$TENSORFS" "$@" >"$WORK/refused.out" 2>"$WORK/refused.err" </dev/null || status=$?
    expect_equal 1 "$status" "exit status of 'tensorfs $*' ($(cat "$WORK/refused.err"))"
    [ ! -s "$WORK/refused.out" ] || fail "'tensorfs $*' printed: $(cat "$WORK/refused.out")"
    expect_equal 1 "$(wc -l <"$WORK/refused.err")" \
        "lines on stderr of 'tensorfs $*' ($(cat "$WORK/refused.err"))"
    grep -qiE -- "$regex" "$WORK/refused.err" ||
        fail "'tensorfs $*' said '$(cat "$WORK/refused.err")', which does not match '$regex'"
    expect_equal "$mounts" "$(mount_count)" "number of mounts after 'tensorfs $*'"
    after=$(snapshot "${touched[@]}")
    diff <(echo "$before") <(echo "$after") || fail "'tensorfs $*' touched something"
}

mount_count() {
    grep -c -- " $WORK" /proc/self/mountinfo || true
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fail "gave up waiting for: $*"
        sleep 0.05
    done
}

# random_file PATH BYTES: incompressible content, as savers write it.
random_file() {
    head -c "$2" /dev/urandom >"$1"
}

# stored_bytes: what the store takes on its disk, all that is pending included.
stored_bytes() {
    sync -f "$MNT"
    du -s -B1 "$STORE" | cut -f1
}

# small_disk SIZE: an empty ext4 of that size, mounted on $WORK/disk; gone with the case.
small_disk() {
    mkdir -p "$WORK/disk"
    truncate -s "$1" "$WORK/disk.img"
    mkfs.ext4 -q -F -m 0 "$WORK/disk.img"
    mount -o loop "$WORK/disk.img" "$WORK/disk"
}
