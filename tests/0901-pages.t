#!/bin/sh
# Pages and programs say the same; the options that every utility has; examples that parse.
. "$(dirname "$0")/lib.sh"
need mandoc

# one_line: white space is layout
one_line() {
	tr -s ' \t\n' ' ' | sed 's/^ //; s/ $//'
}
# synopsis PAGE: as text, without overstrikes
synopsis() {
	mandoc -T ascii -O width=1000 "$1" | sed "s/.$(printf '\b')//g" |
	    sed -n '/^SYNOPSIS/,/^[A-Z]/{/^[A-Z]/d;p}' | one_line
}

for p in "$TOP"/man/*.[1578]; do
	is "$(mandoc -T lint -W warning "$p" 2>&1)" '' "mandoc has nothing to say about ${p##*/}"
done
for source in "$TOP"/bin/*.c; do
	p=$(basename "$source" .c)
	page=$TOP/man/$p.1
	[ -e "$page" ] || page=$TOP/man/$p.8
	ok "$p has a page" test -s "$page"
	ok "$p --help" "$p" --help
	is "$(cat "$T/.err")" '' "$p --help says it on standard output"
	is "$(one_line <"$T/.out" | sed 's/^usage: //')" "$(synopsis "$page")" "$p: usage is the SYNOPSIS"
	is "$("$p" --version)" "$p (relaykit) $(sed -n 's/^#define PROG_VERSION "\(.*\)"/\1/p' "$TOP/lib/prog.h")" \
	    "$p --version"
	for s in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES; do
		ok "${page##*/} has $s" grep -q "^\.Sh $s\$" "$page"
	done
	"$p" --no-such-option </dev/null >"$T/.out" 2>"$T/.err"
	rc=$?
	case $p in
	# sendmail(8) never fails for an option it does not know
	smtp-submit) ;;
	*) is "$rc" 64 "$p: an unknown option is wrong usage" ;;
	esac
	# What it asks for before it looks at a configuration.
	case $p in
	dkim-keygen) args='-d example.org -s s --check -k none' ;;
	mta-sts | sender-check) args=example.org ;;
	smtp-passwd | smtp-queue | suppress) args=list ;;
	smtp-submit) args='-odq ann@example.org' ;;
	spf-check) args='--ip 192.0.2.1 ann@example.org' ;;
	*) args= ;;
	esac
	case $("$p" --help) in
	*'[-C file]'*)
		# shellcheck disable=SC2086 # words
		fails "$p: a configuration that is not there" 78 "$p: $T/none: no such file" \
		    sh -c '"$@" </dev/null' "$p" "$p" -C "$T/none" $args
		# shellcheck disable=SC2086
		fails "$p: a directory instead of one" 78 "$p: $T: it is a directory" \
		    sh -c '"$@" </dev/null' "$p" "$p" -C "$T" $args
		;;
	*) is "$p" smtp-trap "$p has a configuration" ;;
	esac
	ok "$p --help to a full disk is not success" sh -c "! '$p' --help >/dev/full 2>/dev/null"
done
for f in "$TOP"/examples/*; do
	# What the example files refer to exists.
	ok "${f##*/} names no program that we do not have" sh -c \
	    "! grep -ho '@BINDIR@/[a-z-]*' '$f' | sed 's|.*/||' | while read -r p; do test -f '$TOP/bin/'\$p.c || echo no; done | grep -q no"
done
done_testing
