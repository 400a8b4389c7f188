#!/bin/sh
# smtp-queue hold, release and remove, struck at every system call that changes something: nobody
# loses or doubles an entry, and success means that all of it happened.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need faultrun smtp-submit smtp-queue

mkdir "$T/letters"
for i in 1 2 3 4; do
	letter $i >"$T/letters/$i"
	smtp-submit --queue "$T/template" -odq -f a@example.org "b$i@example.net" <"$T/letters/$i"
done
all=$(entries "$T/template" | ids | sort)
# shellcheck disable=SC2086
set -- $all
is $# 4 'four messages wait'
input=/dev/null
few="$1 $2 $3"

# place_of ID: "PLACE " of it; of more places if it has them
place_of() {
	entries "$T/q" | sed -n "s/ $1\$//p" | tr '\n' ' '
}

# verify_moved FROM: each id of $few is there or at $goal, all at $goal after success, once, whole
verify_moved() {
	for id in $all; do
		place=$(place_of "$id")
		case " $few ":$place in
		*" $id "*:"$goal") ;;
		*" $id "*:"$1 ") [ "$rc" -ne 0 ] || echo "success, and $id is still in $place" ;;
		*" $id "*) echo "$id is in '$place'" ;;
		*) [ "$place" = "$1 " ] || echo "$id, which nobody named, is in '$place'" ;;
		esac
		[ -z "$place" ] || [ -n "$(entry_ok "$T/q" "$id")" ] || echo "$id is not whole"
	done
	[ "$rc" -eq 0 ] || killed || [ -s "$T/said" ] || echo "failed without a word"
	again
}
# again: the same command ends the job; it may say that some are gone
again() {
	# shellcheck disable=SC2086
	$victim >"$T/.out" 2>&1 || [ -z "$goal" ] || echo "the next run: $(cat "$T/.out")"
	for id in $few; do
		[ "$(place_of "$id")" = "$goal" ] || echo "the next run left $id in '$(place_of "$id")'"
	done
}

prepare() {
	rm -rf "$T/q"
	cp -a "$T/template" "$T/q"
}
verify() { verify_moved new; }
victim="smtp-queue --queue $T/q hold $few"
goal="hold "
sweep 'hold'

cp -a "$T/template" "$T/held"
ok 'four messages are held' smtp-queue --queue "$T/held" hold --all
prepare() {
	rm -rf "$T/q"
	cp -a "$T/held" "$T/q"
}
verify() { verify_moved hold; }
victim="smtp-queue --queue $T/q release $few"
goal="new "
sweep 'release'

prepare() {
	rm -rf "$T/q"
	cp -a "$T/template" "$T/q"
}
verify() { verify_moved new; }
victim="smtp-queue --queue $T/q remove $few"
goal=
sweep 'remove'
done_testing
