# CASE: a 32-bit program without large-file support lists every name once, and finds its way back
# NEEDS: gcc
# AFTER: none
. "$TFS_LIB"

cat >"$WORK/list.c" <<'END'
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Prints all names; with a second argument, behind each name the one that its telldir() leads to. */
int main(int argc, char **argv)
{
    DIR *directory = opendir(argv[1]);
    struct dirent *entry;
    long before = telldir(directory);

    _Static_assert(sizeof(void *) == 4 && sizeof(before) == 4, "not a program of 32 bits");
    errno = 0;
    while ((entry = readdir(directory))) {
        char name[256];
        long behind = telldir(directory);

        strcpy(name, entry->d_name);
        puts(name);
        if (argc > 2) {
            seekdir(directory, before);
            entry = readdir(directory);
            if (!entry || strcmp(entry->d_name, name) != 0)
                return 3;
        }
        before = behind;
    }
    if (errno)
        perror("readdir");
    return errno != 0;
}
END
gcc -m32 -O1 -o "$WORK/list" "$WORK/list.c" 2>"$WORK/said" && "$WORK/list" / >/dev/null ||
    skip "programs of 32 bits cannot be made and run here: $(tail -n 1 "$WORK/said")"

mkdir "$MNT/folder"
(cd "$MNT/folder" && seq 1 3000 | xargs touch)
expected=$(find "$MNT/folder" -mindepth 1 -printf '%f\n' | sort)
expect_equal 3000 "$(wc -l <<<"$expected")" "names as find sees them"
expect_equal "$expected" "$("$WORK/list" "$MNT/folder" | grep -v '^\.' | sort)" "names as a 32-bit program does"
expect_equal "$expected" "$("$WORK/list" "$MNT/folder" back | grep -v '^\.' | sort)" "names with seekdir behind each"
expect_equal ". .." "$(mkdir "$MNT/empty" && "$WORK/list" "$MNT/empty" | sort | xargs)" "an empty directory"

# From a program that lies on the mount itself, while others list.
cp "$WORK/list" "$MNT/list"
for _ in 1 2 3 4; do
    expect_equal "$expected" "$("$MNT/list" "$MNT/folder" | grep -v '^\.' | sort)" "names from the mount's own program" &
done
wait
rm -r "$MNT/folder"
