#!/bin/sh
# The power is cut at every operation of a file system that forgets what was not synced, while smtp-serve
# takes mail by DATA and by BDAT: a client has heard 250 only of what is there afterwards, whole.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/cuts.sh"
need crashfs unshare smtp-submit smtp-queue smtp-serve
private_mounts "$0"
# Three models of a file system, two ways to send, two queues.
[ "$FAULT_POINTS" = all ] || FAULT_POINTS=$((FAULT_POINTS / 20 + 1))

mkdir "$T/letters"
for i in 1 2; do letter $i >"$T/letters/$i"; done
letter 3 600000 >"$T/letters/3"
mail_rcpt() {
	printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<b%s@example.net>\r\n' "$1"
}
{
	printf 'EHLO me\r\n'
	for i in 1 2 3; do
		mail_rcpt $i
		printf 'DATA\r\n'
		sed 's/^\./../' "$T/letters/$i"
		printf '.\r\n'
	done
	printf 'QUIT\r\n'
} >"$T/data"
{
	printf 'EHLO me\r\n'
	for i in 1 3 2; do
		mail_rcpt $i
		printf 'BDAT 10\r\n'
		head -c 10 "$T/letters/$i"
		printf 'BDAT %s LAST\r\n' $(($(wc -c <"$T/letters/$i") - 10))
		tail -c +11 "$T/letters/$i"
	done
	printf 'QUIT\r\n'
} >"$T/bdat"

verify() {
	promised
	smtp-submit --queue "$q" -odq x@example.org <"$T/letters/2" 2>"$T/.err" || echo "the next one: $(cat "$T/.err")"
}
serve_all() {
	victim="smtp-serve -C $T/conf --queue $q --no-sandbox" input=$T/data
	prepare() { empty; }
	cuts 'DATA, to a queue that is not there yet'
	prepare() {
		empty
		mkdir -p "$q/new"
		chmod 700 "$q" "$q/new"
		sync_all
	}
	cuts 'DATA'
	input=$T/bdat
	cuts 'BDAT'
}
echo 'hostname = "h.example"' >"$T/conf"
for model in journal strict 'no O_TMPFILE'; do
	case $model in
	journal) crashfs_start "$T/m" ;;
	strict) crashfs_start "$T/m" -s ;;
	*) crashfs_start "$T/m" -s -t ;;
	esac
	prepare() { empty; }
	prepare
	# shellcheck disable=SC2094
	smtp-serve -C "$T/conf" --queue "$q" --no-sandbox <"$T/data" >"$T/ack"
	is "$(acked | wc -l) $(numbers | xargs)" '3 1 2 3' "$model: without a cut"
	serve_all
	crashfs_stop
done
done_testing
