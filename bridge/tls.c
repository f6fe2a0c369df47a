/*
 * tls.c
 *		The certificate and key that TLS is served with.
 *
 * When both are named, every address that is listened on speaks TLS: TLS 1.2 at
 * least, OpenSSL's own choice of ciphers, HTTP/1.1.  libwebsockets would say of
 * a file that is unfit only that it has failed, and OpenSSL would ask on the
 * terminal for the passphrase of a locked key: so they are read here, where a
 * mistake can be named, and libwebsockets never sees them.
 *
 * What was found good is kept, and given to each handshake by a callback of
 * OpenSSL's.  So a new certificate is that of new connections from one moment on,
 * whatever kind of key it has, and of those that are there nothing changes;
 * libwebsockets itself could only put one more beside the old one.
 */
#include "tls.h"

#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "log.h"
#include "metrics.h"

#define TLS_SOON_S	(14 * 86400)	/* before the end, from when on to warn */

struct tls
{
	X509	   *cert;
	EVP_PKEY   *key;
				STACK_OF(X509) * chain;
	char	   *file;			/* of the certificate, for the log */
};

bool
tls_is_on(const struct config *config)
{
	return config->tls_cert[0] != '\0';
}

/* There is nobody to ask for a passphrase. */
static int
no_passphrase(char *out, int size, int is_writing, void *arg)
{
	(void) out;
	(void) size;
	(void) is_writing;
	*(bool *) arg = true;
	return -1;
}

static const char *
complain(const char *setting, const char *file, const char *why)
{
	static char problem[1024];

	snprintf(problem, sizeof(problem), "bad value for %s: \"%s\": %s", setting, file, why);
	return problem;
}

/* The first of OpenSSL's complaints is the cause, the others follow from it. */
static const char *
describe(const char *setting, const char *file, bool is_locked)
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	if (is_locked)
		reason = "the key is locked by a passphrase, and nobody is there to give it; "
			"give a file with an unlocked key that only the bridge can read";
	else if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	else if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
			 ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
		reason = "it is not the certificate's key";
	ERR_clear_error();
	return complain(setting, file, reason ? reason : "cannot be read");
}

static const char *
check_files(SSL_CTX *tls, const struct config *config)
{
	bool		is_locked = false;
	const char *why = file_problem(config->tls_cert);

	if (why)
		return complain("tls_cert", config->tls_cert, why);
	why = file_problem(config->tls_key);
	if (why)
		return complain("tls_key", config->tls_key, why);
	SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(tls, &is_locked);
	if (SSL_CTX_use_certificate_chain_file(tls, config->tls_cert) != 1)
		return describe("tls_cert", config->tls_cert, false);
	if (SSL_CTX_use_PrivateKey_file(tls, config->tls_key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(tls) != 1)
		return describe("tls_key", config->tls_key, is_locked);
	return NULL;
}

/* ---- what is served ---- */

static struct tls *
take(SSL_CTX *from, const char *file)
{
	struct tls *tls = mem_zalloc(sizeof(*tls));

	STACK_OF(X509) * chain = NULL;

	tls->cert = SSL_CTX_get0_certificate(from);
	tls->key = SSL_CTX_get0_privatekey(from);
	SSL_CTX_get0_chain_certs(from, &chain);
	tls->chain = chain ? X509_chain_up_ref(chain) : NULL;
	X509_up_ref(tls->cert);
	EVP_PKEY_up_ref(tls->key);
	tls->file = mem_strdup(file);
	return tls;
}

/*
 * Read what TLS is to be served with: "out" is the caller's to free, NULL if
 * there is to be no TLS.  Returns what is wrong, or NULL.
 */
const char *
tls_load(const struct config *config, struct tls **out)
{
	const char *problem;
	SSL_CTX    *context;

	*out = NULL;
	if (config->tls_cert[0] == '\0' && config->tls_key[0] == '\0')
		return NULL;
	if (config->tls_cert[0] == '\0' || config->tls_key[0] == '\0')
		return "tls_cert and tls_key belong together: give both or none";
	context = SSL_CTX_new(TLS_server_method());
	if (context == NULL)
		return "OpenSSL does not start";
	problem = check_files(context, config);
	if (problem == NULL)
		*out = take(context, config->tls_cert);
	SSL_CTX_free(context);
	return problem;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	X509_free(tls->cert);
	EVP_PKEY_free(tls->key);
	sk_X509_pop_free(tls->chain, X509_free);
	free(tls->file);
	free(tls);
}

/* From now on each is what the other was. */
void
tls_swap(struct tls *tls, struct tls *other)
{
	struct tls	was = *tls;

	*tls = *other;
	*other = was;
}

/* Likewise with those above it, which end at times of their own. */
bool
tls_is_same(const struct tls *tls, const struct tls *other)
{
	int			count = sk_X509_num(tls->chain);
	bool		is_same = X509_cmp(tls->cert, other->cert) == 0 && count == sk_X509_num(other->chain);

	for (int i = 0; is_same && i < count; i++)
		is_same = X509_cmp(sk_X509_value(tls->chain, i), sk_X509_value(other->chain, i)) == 0;
	return is_same;
}

/* ---- until when ---- */

static time_t
time_of(const ASN1_TIME *when)
{
	struct tm	parts;

	return ASN1_TIME_to_tm(when, &parts) ? timegm(&parts) : 0;
}

/* When the first of the certificate and those above it ends. */
time_t
tls_expires_at(const struct tls *tls)
{
	time_t		first = time_of(X509_get0_notAfter(tls->cert));

	for (int i = 0; i < sk_X509_num(tls->chain); i++)
	{
		time_t		at = time_of(X509_get0_notAfter(sk_X509_value(tls->chain, i)));

		if (at < first)
			first = at;
	}
	return first;
}

static void
format_time(time_t at, char *out, size_t size)
{
	struct tm	parts;

	gmtime_r(&at, &parts);
	strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* Is this no time for the certificate?  Returns what is wrong, or NULL. */
const char *
tls_date_problem(const struct tls *tls, time_t now)
{
	static char problem[1024];
	time_t		begins_at = time_of(X509_get0_notBefore(tls->cert));
	bool		is_over = tls_expires_at(tls) <= now;
	char		when[32];

	if (!is_over && begins_at <= now)
		return NULL;
	format_time(is_over ? tls_expires_at(tls) : begins_at, when, sizeof(when));
	snprintf(problem, sizeof(problem), "bad value for tls_cert: \"%s\": %s %s", tls->file,
			 is_over ? "the certificate, or one above it, has expired at" :
			 "the certificate is not valid before", when);
	return problem;
}

/* Say what is served from now on, and until when. */
void
tls_announce(const struct tls *tls)
{
	time_t		now = time(NULL);
	time_t		expires_at = tls_expires_at(tls);
	const char *problem = tls_date_problem(tls, now);
	char		when[32];

	format_time(expires_at, when, sizeof(when));
	metric_set(METRIC_TLS_EXPIRES_AT, expires_at);
	if (problem)
		log_error("tls", "served all the same: %s", problem);
	else
		log_line(expires_at - now < TLS_SOON_S ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "tls",
				 "certificate loaded file=%s expires=%s days=%ld", tls->file, when,
				 (long) (expires_at - now) / 86400);
}

/* ---- for libwebsockets ---- */

/* What it must know to serve it. */
void
tls_set_up(const struct config *config, struct lws_context_creation_info *info)
{
	if (!tls_is_on(config))
		return;
	info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
		LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
	info->ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
}

static int
on_handshake(SSL *ssl, void *arg)
{
	const struct tls *tls = arg;

	SSL_certs_clear(ssl);
	return SSL_use_cert_and_key(ssl, tls->cert, tls->key, tls->chain, 1);
}

/* It has made its own context: let it serve what is kept here. */
void
tls_serve(struct tls *tls, void *ssl_context)
{
	if (tls)
		SSL_CTX_set_cert_cb(ssl_context, on_handshake, tls);
}
