#!/bin/sh
# smtp-queue hold, release and remove, struck at every system call that changes something: nobody
# loses or doubles an entry, and success means that all of it happened.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
need smtp-submit smtp-queue

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

# retry: it stays where it is, or goes where it is due at once
cp -a "$T/template" "$T/deferred"
for f in "$T/deferred/new"/*; do
	hour=$(date -u -d '+2 hours' +%Y%m%d%H)
	mkdir -p "$T/deferred/cur/$hour"
	name=${f##*/}
	mv "$f" "$T/deferred/cur/$hour/$(date -d '+2 hours' +%s).${name#*.}"
done
prepare() {
	rm -rf "$T/q"
	cp -a "$T/deferred" "$T/q"
}
verify() {
	for id in $all; do
		case $(place_of "$id") in
		'new ' | 'cur ') [ -n "$(entry_ok "$T/q" "$id")" ] || echo "$id is not whole" ;;
		*) echo "$id is in '$(place_of "$id")'" ;;
		esac
	done
	$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out")"
	due=0
	for f in "$T"/q/new/*,* "$T"/q/cur/*/*,*; do
		name=${f##*/}
		[ ! -e "$f" ] || [ "${name%%.*}" -gt "$(date +%s)" ] || due=$((due + 1))
	done
	[ "$due" -eq 3 ] || echo "after the next run $due are due"
}
victim="smtp-queue --queue $T/q retry $few"
sweep 'retry'

broken=$1
# check: what is cut short is set aside, what is whole stays
prepare() {
	rm -rf "$T/q"
	cp -a "$T/template" "$T/q"
	truncate -s 100 "$T/q/new"/*"$broken,"*
}
verify() {
	for id in $all; do
		case $id:$(place_of "$id") in
		"$broken:new ") killed || [ "$rc" -ne 0 ] || echo "the damaged one is still in new" ;;
		"$broken:damaged ") ;;
		*:'new ') [ -n "$(entry_ok "$T/q" "$id")" ] || echo "$id is not whole" ;;
		*) echo "$id is in '$(place_of "$id")'" ;;
		esac
	done
	smtp-queue --queue "$T/q" check >"$T/.out" 2>&1
	[ "$(entries "$T/q" damaged | wc -l) $(entries "$T/q" new | wc -l)" = '1 3' ] ||
		echo "after the next run: $(entries "$T/q" | tr '\n' ',')"
}
victim="smtp-queue --queue $T/q check"
sweep 'check'
done_testing
