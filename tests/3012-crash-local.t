#!/bin/sh
# The last step struck at every system call that changes something: nobody loses a letter, a maildir gets none
# twice, and a program gets one twice only where the deliverer died, or could write nothing down any more.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"

need_faultrun
# fewer IN: of the points of a usual sweep, for each of them has several runs
all=${FAULT_POINTS:-200}
fewer() {
	FAULT_POINTS=$all
	[ "$all" = all ] || FAULT_POINTS=$((all / $1))
}
# A letter that could not be flushed waits, and that is no trouble of the run.
plain_death() {
	case $how:$rc in
	-k:137 | -a:137) ;;
	*:12[4-9] | *:1[3-9]? | *:2??) echo "exit $rc; " ;;
	esac
}
mkdir "$T/letters"
queue_letter() {
	letter "$1" ${3:+"$3"} >"$T/letters/$1"
	smtp-submit --queue "$T/template" -odq -f a@example.org $2 <"$T/letters/$1"
}
cat >"$T/conf" <<END
connections = 1
site_connections = 1
hostname = h.example
notices { bounce = none }
route "m.example" { maildir = "$T/m/%u" create = yes }
route "p.example" { pipe = "$T/take" }
END
printf '#!/bin/sh\nexec cat >"%s/p/$QUEUE_ID.$RECIPIENT.$$"\n' "$T" >"$T/take"
chmod +x "$T/take"
run="smtp-deliver -C $T/conf --queue $T/q --now --no-sandbox"
prepare() {
	rm -rf "$T/q" "$T/m" "$T/p"
	cp -a "$T/template" "$T/q"
	mkdir "$T/m" "$T/p"
}

# got FILE...: "LETTER RECIPIENT" of each, or "torn": what stands in front taken off, lines as they were sent
got() {
	for f; do
		[ -e "$f" ] || continue
		to=$(sed -n '2s/^Delivered-To: //p' "$f")
		sed '1,2d; /^Received/d; /^[ \t]/d; s/$/\r/' "$f" >"$T/plain"
		n=$(sed -n 's/^Subject: letter \([0-9]*\).*/\1/p' "$T/plain")
		[ -n "$n" ] && cmp -s "$T/plain" "$T/letters/$n" && echo "$n $to" || echo "torn $to"
	done | sort
}
again() {
	$run >"$T/.out" 2>"$T/.err" || echo "the next run: exit $? $(cat "$T/.err")"
	[ -z "$(entries "$T/q")" ] || echo "in the end: $(entries "$T/q" | tr '\n' ',')"
	smtp-queue --queue "$T/q" check >"$T/.check" 2>&1 || echo "check: $(cat "$T/.check")"
}

# --- maildirs
queue_letter 1 ann@m.example
queue_letter 2 'ann@m.example bob@m.example' 70000
want='1 ann@m.example
2 ann@m.example
2 bob@m.example'
prepare
$run
is "$? $(got "$T"/m/*/new/*)" "0 $want" 'without a strike'
is "$(find "$T"/m/*/tmp -type f)" '' 'nothing is left in tmp'
verify() {
	again
	all=$(got "$T"/m/*/new/*)
	[ "$all" = "$want" ] || echo "received: $(echo "$all" | tr '\n' ',')"
	grep -q 'call [0-9]*: unlinkat' "$T/said" || [ -z "$(find "$T"/m/*/tmp -type f)" ] || echo "left: $(find "$T"/m/*/tmp -type f)"
}
victim=$run
fewer 7
sweep 'into maildirs'
# Whoever reads meanwhile moves letters to cur/: they are known there too.
verify() {
	for f in "$T"/m/*/new/*; do
		[ ! -e "$f" ] || mv "$f" "${f%/new/*}/cur/${f##*/}:2,S"
	done
	again
	all=$(got "$T"/m/*/new/* "$T"/m/*/cur/*)
	[ "$all" = "$want" ] || echo "received: $(echo "$all" | tr '\n' ',')"
}
errors=EIO
with='-o linkat,unlink,unlinkat,fsync,pwrite64,rename,renameat,renameat2'
fewer 13
sweep 'into maildirs that are read meanwhile'

# --- no room: what is told
says() { # ERRNO: of the link into new/
	prepare
	faultrun -o linkat -e 1 "$1" $run >/dev/null 2>&1
	cat "$T/q/log"/*.jsonl | sed -n 's/.*"type":"deferred".*"recipient":"ann@m.example".*"enhanced_code":"\([^"]*\)".*/\1/p' | sort -u
}
is "$(says EDQUOT)" 4.2.2 'a quota is the mailbox'"'"'s'
is "$(says ENOSPC)" 4.3.1 'a full disk is the system'"'"'s'
is "$(says EIO)" 4.3.0 'anything else'
is "$(says EPERM; got "$T"/m/*/new/* | wc -l)" 3 'a filesystem without links: a rename will do'

# --- programs
rm -rf "$T/template"
queue_letter 3 ann@p.example
queue_letter 4 'ann@p.example bob@p.example'
want='3 ann@p.example
4 ann@p.example
4 bob@p.example'
errors="EIO ENOSPC"
with=
verify() {
	again
	# One that was struck itself has got less than a whole letter, and said so.
	all=$(got "$T"/p/* | grep -v '^torn')
	twice=$(echo "$all" | uniq -d | wc -l)
	most=0
	! killed && [ "$how" != -E ] || most=1
	[ "$(echo "$all" | uniq)" = "$want" ] || echo "received: $(echo "$all" | tr '\n' ',')"
	[ "$twice" -le "$most" ] || echo "$twice came twice"
	echo "$all" | uniq -c | grep -q '^ *[3-9]' && echo 'one came thrice'
}
prepare
$run
is "$? $(got "$T"/p/*)" "0 $want" 'without a strike'
fewer 10
sweep 'to a program'
done_testing
