/* gtls.h - GnuTLS, loaded by name when the first of its doors wants it: tls.c, cert.c and crypt.c.
 *
 * It comes with eight libraries, and a process that is made for each client pays for every mapping that it
 * inherits: of a client of smtp-serve without TLS they were a fifth of its cost.  Types and constants are
 * those of its headers, which are included here and nowhere else.
 */
#ifndef GTLS_H
#define GTLS_H

#include "dl.h"
#include "err.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509.h>

#if GNUTLS_VERSION_NUMBER >= 0x030704
#define GTLS_SUITE(f) f(gnutls_ciphersuite_get)
#else
#define GTLS_SUITE(f) f(gnutls_cipher_get) f(gnutls_cipher_get_name)
#endif
#define GTLS_CALLS(f) \
	f(gnutls_alert_get) f(gnutls_alert_get_name) f(gnutls_alert_send_appropriate) \
	f(gnutls_bye) f(gnutls_certificate_allocate_credentials) \
	f(gnutls_certificate_free_credentials) f(gnutls_certificate_get_peers) \
	f(gnutls_certificate_server_set_request) f(gnutls_certificate_set_x509_key) \
	f(gnutls_certificate_set_x509_key_file) f(gnutls_certificate_set_x509_trust_file) \
	f(gnutls_certificate_verify_peers) f(gnutls_credentials_set) f(gnutls_deinit) \
	f(gnutls_free) f(gnutls_global_init) f(gnutls_handshake) f(gnutls_hash) \
	f(gnutls_hash_deinit) f(gnutls_hash_fast) f(gnutls_hash_init) f(gnutls_init) \
	f(gnutls_memset) f(gnutls_pk_get_name) f(gnutls_priority_init) f(gnutls_priority_set) \
	f(gnutls_privkey_deinit) f(gnutls_privkey_get_pk_algorithm) \
	f(gnutls_privkey_import_url) f(gnutls_privkey_import_x509) f(gnutls_privkey_init) \
	f(gnutls_privkey_set_pin_function) f(gnutls_privkey_sign_data2) \
	f(gnutls_privkey_sign_hash2) f(gnutls_protocol_get_name) f(gnutls_protocol_get_version) \
	f(gnutls_pubkey_deinit) f(gnutls_pubkey_export2) f(gnutls_pubkey_export_ecc_raw2) \
	f(gnutls_pubkey_import_ecc_raw) f(gnutls_pubkey_import_privkey) \
	f(gnutls_pubkey_import_rsa_raw) f(gnutls_pubkey_import_x509) f(gnutls_pubkey_init) \
	f(gnutls_pubkey_verify_data2) f(gnutls_pubkey_verify_hash2) f(gnutls_record_recv) \
	f(gnutls_record_send) f(gnutls_server_name_set) f(gnutls_session_channel_binding) \
	f(gnutls_session_ext_master_secret_status) f(gnutls_session_get_data2) \
	f(gnutls_session_get_flags) f(gnutls_session_is_resumed) f(gnutls_session_set_data) \
	f(gnutls_strerror) f(gnutls_transport_set_errno) f(gnutls_transport_set_ptr2) \
	f(gnutls_transport_set_vec_push_function) f(gnutls_x509_crt_check_issuer) \
	f(gnutls_x509_crt_deinit) f(gnutls_x509_crt_export2) \
	f(gnutls_x509_crt_get_activation_time) f(gnutls_x509_crt_get_dn_by_oid) \
	f(gnutls_x509_crt_get_expiration_time) f(gnutls_x509_crt_get_subject_alt_name) \
	f(gnutls_x509_crt_import) f(gnutls_x509_crt_init) \
	f(gnutls_x509_crt_set_activation_time) f(gnutls_x509_crt_set_basic_constraints) \
	f(gnutls_x509_crt_set_dn_by_oid) f(gnutls_x509_crt_set_expiration_time) \
	f(gnutls_x509_crt_set_key) f(gnutls_x509_crt_set_key_purpose_oid) \
	f(gnutls_x509_crt_set_key_usage) f(gnutls_x509_crt_set_serial) \
	f(gnutls_x509_crt_set_subject_alt_name) f(gnutls_x509_crt_set_version) \
	f(gnutls_x509_crt_sign2) f(gnutls_x509_privkey_deinit) \
	f(gnutls_x509_privkey_export2_pkcs8) f(gnutls_x509_privkey_generate) \
	f(gnutls_x509_privkey_import2) f(gnutls_x509_privkey_init) \
	f(gnutls_x509_trust_list_add_cas) f(gnutls_x509_trust_list_add_system_trust) \
	f(gnutls_x509_trust_list_add_trust_file) f(gnutls_x509_trust_list_add_trust_mem) \
	f(gnutls_x509_trust_list_deinit) f(gnutls_x509_trust_list_init) \
	f(gnutls_x509_trust_list_verify_crt2) \
	GTLS_SUITE(f)

struct gtls {
	GTLS_CALLS(DL_POINTER)
};
extern struct gtls gtls;

/* Before anything of gtls is called, by any thread; again costs nothing.  A confined process can load
 * nothing.  EX_TEMPFAIL: there is no such library. */
int gtls_load(struct err *e);

/* GnuTLS's sentence as a clause of ours: "what: why"; out of memory ends the process. */
int gtls_fail(struct err *e, int code, const char *what, int why);

#endif
