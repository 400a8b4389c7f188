#!/bin/sh
# Every fuzz target over its saved inputs: seeds, and whatever once crashed.
. "$(dirname "$0")/lib.sh"

ran=0
for target in "$BUILD"/replay/*; do
	name=${target##*/}
	dir=$TOP/tests/data/fuzz/$name
	if [ ! -x "$target" ] || [ ! -d "$dir" ] || [ ! -e "$TOP/tests/fuzz/$name.c" ]; then
		continue
	fi
	files=$(find "$dir" -type f ! -name '.*' | wc -l)
	is "$("$target" "$dir" 2>&1)" "$((files)) inputs" "$name"
	ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || skip_all "no target is built: make check builds them"
done_testing
