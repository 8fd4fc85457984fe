#!/bin/bash
# hardening.sh finds each thing that it looks for: a program that lacks everything is refused for everything.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo 'int main(void) { return 0; }' >"$folder/soft.c"
cc -no-pie -fno-stack-protector -z execstack -Wl,-z,lazy -Wl,-z,norelro "$folder/soft.c" -o "$folder/soft"
status=0
said=$(tests/lint/hardening.sh "$folder/soft") || status=$?
[ "$status" -ne 77 ] || { echo "$said" && exit 77; }
[ "$status" -eq 1 ] || { echo "exit status $status, wanted 1: $said" && exit 1; }
for word in 'no PIE' 'no RELRO' 'lazy binding' 'stack is executable' 'no canary' 'no _FORTIFY_SOURCE' 'written and executed'; do
    [[ $said == *"$word"* ]] || { echo "did not find: $word" && exit 1; }
done
echo "each weakness is found"
