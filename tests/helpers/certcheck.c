/* certcheck - the verdict of cert.h about a chain in a file.
 *
 * usage: certcheck [-c CAFILE] [-t "USAGE SELECTOR MATCHING HEX"]... -n NAME... CHAIN.pem
 * With -t DANE's, else the CAs'.  Prints "good: WHY" or "FAILURE: WHY"; exit 0 or 1. */
#include "cert.h"
#include "io.h"
#include "prog.h"

#include <fcntl.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 32

static struct err e;

static void
must(int rc)
{
	if (rc)
		prog_die(&e);
}

/* The DER of each certificate of a PEM file. */
static size_t
chain_of(const char *path, struct span *v)
{
	struct buf pem = BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	char *at;

	must(fd < 0 ? err_sys(&e, "open %s", path) : io_slurp(fd, 1 << 20, &pem, &e));
	for (at = pem.s; n < MOST && (at = strstr(at, "-----BEGIN CERTIFICATE")) != NULL; at++) {
		gnutls_datum_t in = {(unsigned char *)at, (unsigned)strlen(at)}, out;

		if (gnutls_pem_base64_decode2("CERTIFICATE", &in, &out) < 0)
			exit(65);
		v[n++] = (struct span){(char *)out.data, out.size};
	}
	buf_free(&pem);
	close(fd);
	return n;
}

static struct cert_tlsa
tlsa_of(const char *text)
{
	struct cert_tlsa t = {0};
	char *end;
	struct buf data = BUF_INIT;

	t.usage = (uint8_t)strtoul(text, &end, 10);
	t.selector = (uint8_t)strtoul(end, &end, 10);
	t.matching = (uint8_t)strtoul(end, &end, 10);
	for (end += *end == ' '; end[0] && end[1]; end += 2)
		buf_ch(&data, (char)strtoul((char[]){end[0], end[1], 0}, NULL, 16));
	t.data.n = data.len;
	t.data.p = buf_steal(&data);
	return t;
}

int
main(int argc, char *argv[])
{
	const char *names[MOST], *ca = NULL;
	struct cert_tlsa tlsa[MOST];
	struct span certs[MOST];
	struct cert_names name_list = {names, 0};
	struct cert_chain chain = {certs, 0};
	struct cert_store *store = NULL;
	struct buf why = BUF_INIT;
	enum cert_is is;
	size_t n_tlsa = 0;
	int c;

	prog_start("certcheck");
	while ((c = getopt(argc, argv, "c:t:n:")) != -1)
		switch (c) {
		case 'c': ca = optarg; break;
		case 't': tlsa[n_tlsa++] = tlsa_of(optarg); break;
		case 'n': names[name_list.n++] = optarg; break;
		default: return 64;
		}
	if (optind + 1 != argc)
		return 64;
	chain.n = chain_of(argv[optind], certs);
	if (n_tlsa > 0) {
		is = cert_dane(&chain, tlsa, n_tlsa, &name_list, &why);
	} else {
		must(cert_store_open(&store, ca, &e));
		is = cert_ca(&chain, store, &name_list, &why);
	}
	out_fmt("%s: %s\n", is ? cert_failure(is) : "good", why.s);
	cert_store_free(store);
	for (size_t i = 0; i < chain.n; i++)
		gnutls_free((void *)(uintptr_t)certs[i].p);
	for (size_t i = 0; i < n_tlsa; i++)
		free((void *)(uintptr_t)tlsa[i].data.p);
	buf_free(&why);
	return out_close() ? 75 : is != CERT_GOOD;
}
