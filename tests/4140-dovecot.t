#!/bin/sh
# Dovecot's LMTP server as the last step: who exists, who does not and whose mailbox is full, in one transaction.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"
need setpriv unshare

[ "$(id -u)" -eq 0 ] || skip_all 'dovecot here needs root, for a mount namespace and a user of its own'
for p in dovecot-core dovecot-lmtpd; do
	[ -f "$PEERS/$p/libpath" ] || skip_all "no $p in build/peers: scripts/peers $p"
done
core=$(readlink -f "$PEERS/dovecot-core")
lmtpd=$(readlink -f "$PEERS/dovecot-lmtpd")
libs=$(cat "$core/libpath")

D=$T/dovecot
mkdir -p "$D/run" "$D/mail" "$D/libexec"
for f in "$core"/usr/lib/dovecot/*; do [ ! -f "$f" ] || ln -s "$f" "$D/libexec/"; done
ln -s "$lmtpd/usr/lib/dovecot/lmtp" "$D/libexec/lmtp"
cat >"$D/conf" <<E
base_dir = $D/run
state_dir = $D/run
libexec_dir = $D/libexec
log_path = $D/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
import_environment = LD_LIBRARY_PATH=$libs
mail_location = maildir:~/Maildir
first_valid_uid = 1
recipient_delimiter = +
auth_username_format = %n
protocol lmtp {
  mail_plugins = quota
}
quota_full_tempfail = yes
plugin {
  quota = maildir:User quota
  quota_grace = 0
}
passdb {
  driver = passwd-file
  args = $D/users
}
userdb {
  driver = passwd-file
  args = $D/users
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service lmtp {
  chroot =
  unix_listener lmtp {
    mode = 0666
  }
}
E
for u in ann bob carl; do
	[ $u = carl ] && rule='userdb_quota_rule=*:bytes=100' || rule=
	echo "$u:{PLAIN}x:65534:65534::$D/mail/$u::$rule"
done >"$D/users"
# Its paths are compiled in: this lays the unpacked ones over the system's, for it alone.
cat >"$D/start" <<E
mount -t overlay overlay -o lowerdir=/usr/lib:$core/usr/lib /usr/lib || exit 9
LD_LIBRARY_PATH=$libs
export LD_LIBRARY_PATH
exec setpriv --reuid=65534 --regid=65534 --clear-groups $core/usr/bin/doveconf -f service=master \\
    -c $D/conf -m master -p -e $core/usr/sbin/dovecot -F -c $D/conf
E
chown -R 65534:65534 "$D"
chmod 755 "$T"
bg unshare -m --propagation private sh "$D/start" >"$D/out" 2>&1
dovecot=$!
ready() { grep -q 'starting up' "$D/log" || ! kill -0 $dovecot; }
until_true 40 ready
grep -q 'starting up' "$D/log" 2>/dev/null || skip_all "dovecot does not start here: $(tail -n 1 "$D/out")"

cat >"$T/conf" <<E
queue = "$T/queue"
hostname = h.example
notices { bounce = none }
route "x.example" { lmtp = "unix:$D/run/lmtp" }
E
export RELAYKIT_CONFIG="$T/conf"
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac
printf 'From: a@d.example\nSubject: x\nMessage-ID: <1@d.example>\n\n.\n..dots\nhell\303\266\n' |
    smtp-submit -odq -oi -f s@d.example ann@x.example bob+lists@x.example carl@x.example none@x.example
smtp-deliver $sandbox >"$T/run.out" 2>&1
is "$?$(cat "$T/run.out")" 0 'a run'
cat "$T/queue"/log/*.jsonl | sed -nE 's/^\{"type":"(delivered|deferred|bounced)".*"recipient":"([^"]*)".*"code":([0-9]+).*"enhanced_code":"([^"]*)".*/\1 \2 \3 \4/p' |
    sort -k2 >"$T/outcomes"
is "$(cat "$T/outcomes")" 'delivered ann@x.example 250 2.0.0
delivered bob+lists@x.example 250 2.0.0
deferred carl@x.example 452 4.2.2
bounced none@x.example 550 5.1.1' 'each recipient has a fate of its own'
is "$(find "$D/mail" -path '*/new/*' | sed "s|$D/mail/||; s|/.*||" | sort | xargs)" 'ann bob' 'as Dovecot has it too'
is "$(sed '1,/^$/d' "$D"/mail/ann/Maildir/new/*)" '.
..dots
hellö' 'the content is whole'
is "$(head -n 1 "$D"/mail/bob/Maildir/new/*)" 'Return-Path: <s@d.example>' 'the server says who the sender is'
done_testing
