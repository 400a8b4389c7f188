#!/bin/sh
# The last step into a maildir: the letter as it is to be read, under a name of its own, whole or not at all;
# whose it is; and that no address leads anywhere else.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/local.sh"

# --- one letter
routes "route \"x.example\" { maildir = \"$mail/%u\" }"
a_maildir ann
letter ann@x.example
run_all 'one recipient'
f=$(echo "$mail"/ann/new/*)
is "$(outcomes)" "delivered ann@x.example 1 2.0.0 delivered as TIME.QIDR0.h.example,S=$(stat -c %s "$f")" 'it is delivered'
like "${f##*/}" "^[0-9]{10}\\.Q${ID}R0\\.h\\.example,S=[0-9]+\$" 'its name is the id, and says its size'
is "$(stat -c %a "$f")" 600 'it is the owner'"'"'s alone'
is "$(sed '/^Received/,/^\t.* 20[0-9][0-9] /d' "$f")" 'Return-Path: <s@d.example>
Delivered-To: ann@x.example
From: a@d.example
To: list:;
Subject: x
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <1@x>

hello' 'Return-Path and Delivered-To stand in front'
is "$(tr -cd '\r' <"$f" | wc -c)" 0 'lines end in LF'
is "$(find "$mail/ann/tmp" "$mail/ann/cur" -type f)$(places)" '' 'nothing is left in tmp or in the queue'

# --- whose
fresh
routes "route \"x.example\" { maildir = \"$mail/%u/.%e\" }" "route \".y.example\" { maildir = \"$mail/%d/%u\" delimiter = \"\" }" \
    "route \"all.example\" { maildir = \"$mail/all\" }"
a_maildir ann/.lists y.example/ann+lists sub.y.example/ann all 'ann smith'
rm -f "$mail/ann/new"/*
letter Ann+Lists@x.example ann+none@x.example ann@x.example '"ann smith"@x.example' ann+lists@y.example \
    ann@sub.y.example whoever@all.example '"../all"@x.example' '"a/../all"@x.example' 'nobody@x.example' \
    'ann+../ann/new@x.example' '"..+x"@x.example'
run_all 'several'
# Which recipients' copies lie where.
copies() {
	grep -h '^Delivered-To' "$1"/new/* | sed 's/.*: //' | sort | xargs -d '\n'
}
is "$(copies "$mail/ann/.lists")" Ann+Lists@x.example 'the folder of the extension, in lower case'
is "$(copies "$mail/ann")" '"ann+../ann/new"@x.example ann+none@x.example ann@x.example' 'the user'"'"'s own where there is none'
is "$(copies "$mail/ann smith")" '"ann smith"@x.example' 'quotes are no part of a name'
is "$(copies "$mail/y.example/ann+lists")" ann+lists@y.example 'without a delimiter there are no extensions'
is "$(copies "$mail/sub.y.example/ann")" ann@sub.y.example 'by domain'
is "$(copies "$mail/all")" whoever@all.example 'one for all'
is "$(outcomes | grep -v '^delivered')" 'bounced '"'..+x'"'@x.example 1 5.1.1 the user begins with a dot
bounced '"'../all'"'@x.example 1 5.1.1 the user begins with a dot
bounced '"'a/../all'"'@x.example 1 5.1.1 the user has a character that no mailbox'"'"'s name has
deferred nobody@x.example 1 4.2.1 maildir T/mail/nobody: No such file or directory' 'who has no mailbox'
is "$(find "$mail" -type f | wc -l)" 8 'and nothing lies anywhere else'

# --- what parts a user from an extension is said once, where the domain is called ours
fresh
rm -rf "$mail"/*
routes "route \"*\" { maildir = \"$mail/%u/.%e\" }" "route \"own.example\" { maildir = \"$mail/%u/.%e\" delimiter = \"+\" }" \
    'local "z.example, BÜCHER.example" { addresses = "/nonexistent" delimiter = "-" }' \
    'local "own.example" { addresses = "/nonexistent" delimiter = "-" }' 'local "none.example" { addresses = "/nonexistent" delimiter = "" }'
a_maildir ann/.lists
letter ann-lists@z.example Ann-Lists@xn--bcher-kva.example ann+lists@own.example ann+lists@other.example
run_all 'delimiters of local sections'
is "$(copies "$mail/ann/.lists")" 'Ann-Lists@xn--bcher-kva.example ann+lists@other.example ann+lists@own.example ann-lists@z.example' \
    'the section'"'"'s, or the route'"'"'s own, or a plus'
letter ann+lists@z.example ann-lists@own.example ann-lists@other.example ann+lists@none.example
is "$(smtp-deliver $sandbox --dry-run=connect | grep -c "$mail/ann[+-]lists")" 4 'a dry run knows them'
echo 'local "Z.example" { addresses = "/x" }' >>"$RELAYKIT_CONFIG"
fails 'a domain twice' 78 'smtp-deliver: local: domain z.example stands twice' smtp-deliver $sandbox

# --- made where that is wanted, below the directory that is there
fresh
rm -rf "$mail"/*
routes "site_connections = 1" "route \"x.example\" { maildir = \"$mail/%d/%u/.%e\" create = yes }"
letter ann@x.example ann+lists@x.example
run_all 'no directories yet'
is "$(find "$mail" -type d | sed "s|$mail||" | sort | xargs)" \
    '/x.example /x.example/ann /x.example/ann/cur /x.example/ann/new /x.example/ann/tmp' 'they are made, but no folder'
is "$(find "$mail" -type d ! -perm 700 ! -path "$mail")" '' 'for the owner alone'
is "$(copies "$mail/x.example/ann")" 'ann+lists@x.example ann@x.example' 'and used'
fresh
mv "$mail" "$mail.gone"
letter ann@x.example
letter bob@x.example
run_all 'the directory in front is gone'
is "$(outcomes)" 'deferred ann@x.example 1 4.2.0 maildirs in T/mail: No such file or directory' \
    'the site is closed, as one that cannot be reached: one tries for all'
is "$(test -e "$mail" && echo there; places)" 'cur 2' 'it is not made, and nobody is given up'
mv "$mail.gone" "$mail"
rm -rf "$RELAYKIT_QUEUE/state/sites"
run_all 'it is back' --now
is "$(copies "$mail/x.example/bob")" bob@x.example 'then they go'

# --- what a maildir is not
fresh
routes "route \"x.example\" { maildir = \"$mail/%u\" }"
mkdir -p "$mail/half/new" "$T/elsewhere/new"
a_maildir link
rm -rf "$mail/link/new"
ln -s "$T/elsewhere/new" "$mail/link/new"
echo >"$mail/file"
letter half@x.example link@x.example file@x.example
run_all 'no maildirs'
is "$(outcomes | sed 's/: .*//')" 'deferred file@x.example 1 4.2.1 maildir T/mail/file
deferred half@x.example 1 4.2.1 T/mail/half cur
deferred link@x.example 1 4.2.1 T/mail/link new' 'half of one, a link where new should be, a file'
is "$(find "$T/elsewhere" -type f)" '' 'a link is not followed'

# --- loops
fresh
rm -rf "$mail"/*
a_maildir ann bob
{ printf 'Delivered-To: someone@x.example\nDelivered-To:  ANN@x.example \n'; cat "$T/letter"; } >"$T/loop"
smtp-submit -odq -oi -f s@d.example ann@x.example bob@x.example <"$T/loop"
run_all 'it was here before'
is "$(outcomes | sed 's/ as .*//')" 'bounced ann@x.example 1 5.4.6 it has been delivered to this recipient before: a loop
delivered bob@x.example 1 2.0.0 delivered' 'Delivered-To of the same recipient is a loop'

# --- content: larger than what is read along, 8-bit, the ends of lines
fresh
rm -rf "$mail"/*
a_maildir ann
{ cat "$T/letter"; awk 'BEGIN { for (i = 0; i < 20000; i++) printf "%d \303\244\303\266 .\n.\n", i }'; echo 'the end'; } >"$T/big"
smtp-submit -odq -oi -f '' ann@x.example <"$T/big"
run_all 'a large one'
sed '1,/^\t.* 20[0-9][0-9] /d' "$mail"/ann/new/* >"$T/got"
ok 'it comes as it was' cmp "$T/big" "$T/got" || { cmp "$T/big" "$T/got"; tail -c 100 "$T/got" | od -c | tail -5; }
is "$(head -n 1 "$mail"/ann/new/*)" 'Return-Path: <>' 'the null sender'
is "$(stat -c %s "$mail"/ann/new/*)" "$(echo "$mail"/ann/new/* | sed 's/.*,S=//')" 'S= is its size'

# --- the deliverer alone
like "$(smtp-deliver --dry-run=route 2>&1; letter ann@x.example no@x.example; smtp-deliver --dry-run=rcpt)" \
    "ann@x.example	send	maildir:x.example	$mail/ann	" '--dry-run says where it would go'
like "$(smtp-deliver --dry-run=rcpt)" "no@x.example	defer	maildir:x.example	$mail/no		4.2.1	maildir $mail/no: No such" \
    'and that it would not'
is "$(mx-lookup x.example) $(mx-lookup --site x.example)" "0 maildir:$mail/%u maildir:x.example" 'mx-lookup names route and site'
is "$(mx-lookup --json --connect x.example | sed 's/.*"kind":"\([a-z]*\)".*/\1/')" maildir 'also in JSON'
# --- made by root: they belong to whom the directory around them belongs to
if [ "$(id -u)" = 0 ]; then
	fresh
	rm -rf "$mail"/*
	mkdir "$mail/ann" "$mail/bob" "$mail/bob/Maildir"
	chown 4303:4304 "$mail/ann" "$mail/bob" # and in bob's something of root's, which stays root's
	routes "route \"x.example\" { maildir = \"$mail/%u/Maildir\" create = yes }"
	letter ann@x.example bob@x.example eve@x.example
	run_all 'by root'
	is "$(cd "$mail" && stat -c '%n %u %g %a' ann/Maildir ann/Maildir/cur ann/Maildir/new/* bob/Maildir bob/Maildir/new eve/Maildir | sed 's|/[0-9][^ ]* | |')" \
	    'ann/Maildir 4303 4304 700
ann/Maildir/cur 4303 4304 700
ann/Maildir/new 4303 4304 600
bob/Maildir 0 0 755
bob/Maildir/new 0 0 700
eve/Maildir 0 0 700' 'whose home it is can read his mail'
else
	result 0 'by root # SKIP not root'
fi
done_testing
