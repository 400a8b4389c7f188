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

D=$T/dovecot
mkdir -p "$D/run" "$D/mail"
# 2.4 writes much of it anew.
case $(LD_LIBRARY_PATH=$(cat "$core/libpath") "$core/usr/sbin/dovecot" --version) in
2.[0-3].*)
	full='userdb_quota_rule=*:bytes=100'
	cat <<E ;;
mail_location = maildir:~/Maildir
auth_username_format = %n
protocol lmtp {
  mail_plugins = quota
}
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
E
*)
	full=userdb_quota_storage_size=100B
	cat <<E ;;
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
mail_driver = maildir
mail_path = ~/Maildir
auth_username_format = %{user | username}
protocol lmtp {
  mail_plugins = quota
}
quota "User quota" {
  driver = maildir
}
quota_storage_grace = 0
passdb passwd-file {
  passwd_file_path = $D/users
}
userdb passwd-file {
  passwd_file_path = $D/users
}
E
esac >"$D/conf"
cat >>"$D/conf" <<E
base_dir = $D/run
state_dir = $D/run
log_path = $D/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
recipient_delimiter = +
quota_full_tempfail = yes
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
	[ $u = carl ] && rule=$full || rule=
	echo "$u:{PLAIN}x:65534:65534::$D/mail/$u::$rule"
done >"$D/users"
# Its paths are compiled in, and it may not be able to go where it was unpacked: this lays that below the
# system's, for it alone.
cat >"$D/start" <<E
over() {
	mount -t overlay overlay -o "lowerdir=\$1" "\$2" || exit 9
}
over /usr/lib:$core/usr/lib:$lmtpd/usr/lib /usr/lib
over /usr/bin:$core/usr/bin /usr/bin
over /usr/sbin:$core/usr/sbin /usr/sbin
exec setpriv --reuid=65534 --regid=65534 --clear-groups /usr/sbin/dovecot -F -c $D/conf
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
