#!/bin/sh
# What make install and make install-sendmail put where, and what they leave alone.
. "$(dirname "$0")/lib.sh"

d=$T/root
# A BUILD that is current: install must not need a compiler.
install_to() {
	"$TOP/scripts/install" "$BUILD" "$d" /usr/bin /usr/sbin /usr/share/man /usr/share/doc/relaykit/examples \
	    /usr/share/relaykit
}
links() {
	"$TOP/scripts/install-sendmail" "$d" /usr/bin /usr/sbin /usr/share/man
}
tree() {
	(cd "$d" && find . -printf '%M %p %l\n' | sort)
}

fails 'no sendmail without an installation' 69 'install-sendmail: run make install first' links
ok 'installs below DESTDIR' install_to
for p in smtp-submit smtp-deliver smtp-queue smtp-trap bounce-parse; do
	ok "$p is there" test -x "$d/usr/bin/$p"
	ok "$p has its page" test -s "$d/usr/share/man/man1/$p.1"
done
ok 'smtp-serve is there, with its page' test -x "$d/usr/bin/smtp-serve" -a -s "$d/usr/share/man/man8/smtp-serve.8"
for p in relaykit.conf.5 relaykit-queue.5 relaykit-events.5 relaykit-rules.5; do
	ok "$p is there" test -s "$d/usr/share/man/man5/$p"
done
ok 'the rules of bounce-parse are there' test -s "$d/usr/share/relaykit/bounce.rules"
ok 'the overview is there' test -s "$d/usr/share/man/man7/relaykit.7"
is "$(grep -rl '@BINDIR@' "$d" | wc -l)" 0 'examples name programs where they were put'
ok 'the unit starts the program that was installed' grep -q '^ExecStart=/usr/bin/smtp-deliver' \
    "$d/usr/share/doc/relaykit/examples/relaykit-deliver.service"
is "$(ls -A "$d")" usr 'nothing is put elsewhere'
is "$(find "$d" -name sendmail -o -name mailq -o -name newaliases)" '' 'no sendmail unless asked for'
is "$("$d/usr/bin/smtp-submit" --version)" "$(smtp-submit --version)" 'the installed program runs'
like "$(ls -l "$d/usr/bin/smtp-submit")" '^-rwxr-xr-x' 'setgid is for an administrator to set'

ok 'and again' install_to
ok 'sendmail, mailq and newaliases' links
is "$(readlink "$d/usr/sbin/sendmail")" /usr/bin/smtp-submit 'sendmail leads to smtp-submit'
is "$(readlink "$d/usr/bin/mailq")" /usr/bin/smtp-queue 'mailq leads to smtp-queue'
is "$(readlink "$d/usr/bin/newaliases")" /usr/bin/smtp-submit 'newaliases leads to smtp-submit'
was=$(tree)
ok 'a second time too' links
is "$(tree)" "$was" 'which changes nothing'

rm "$d/usr/bin/mailq"
echo theirs >"$d/usr/bin/mailq"
rm "$d/usr/sbin/sendmail"
fails "another system's mailq stays" 73 \
    "install-sendmail: $d/usr/bin/mailq belongs to another mail system; nothing changed" links
is "$(cat "$d/usr/bin/mailq")" theirs 'as it was'
ok 'and no sendmail beside it' test ! -e "$d/usr/sbin/sendmail"

rm "$d/usr/bin/mailq"
ok 'sendmail once more' links
rm "$d/usr/bin/mailq"
echo theirs >"$d/usr/bin/mailq"
links() { "$TOP/scripts/install-sendmail" -r "$d" /usr/bin /usr/sbin /usr/share/man; }
ok 'links are taken away' links
ok 'and the rest' "$TOP/scripts/install" -r "$BUILD" "$d" /usr/bin /usr/sbin /usr/share/man \
    /usr/share/doc/relaykit/examples /usr/share/relaykit
is "$(cd "$d" && find . ! -type d)" ./usr/bin/mailq "another system's mailq is all that is left"
ok 'no directory of ours' test ! -e "$d/usr/share/relaykit" -a ! -e "$d/usr/share/doc/relaykit"
done_testing
