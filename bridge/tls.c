/*
 * tls.c
 *		The certificate and key that TLS is served with.
 *
 * When both are named, every address that is listened on speaks TLS: TLS 1.2 at
 * least, OpenSSL's own choice of ciphers, HTTP/1.1.  libwebsockets loads the
 * files, but says of one that is unfit only that it has failed, and OpenSSL
 * would ask on the terminal for the passphrase of a locked key: so they are
 * tried here first, at boot, where a mistake can be named.
 */
#include "tls.h"

#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdio.h>
#include <string.h>

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

/* The first of OpenSSL's complaints is the cause, the others follow from it. */
static const char *
describe(const char *setting, const char *file, bool is_locked)
{
	static char problem[1024];
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
	snprintf(problem, sizeof(problem), "bad value for %s: \"%s\": %s", setting, file,
			 reason ? reason : "cannot be read");
	ERR_clear_error();
	return problem;
}

static const char *
check_files(SSL_CTX *tls, const struct config *config)
{
	bool		is_locked = false;

	SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(tls, &is_locked);
	if (SSL_CTX_use_certificate_chain_file(tls, config->tls_cert) != 1)
		return describe("tls_cert", config->tls_cert, false);
	if (SSL_CTX_use_PrivateKey_file(tls, config->tls_key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(tls) != 1)
		return describe("tls_key", config->tls_key, is_locked);
	return NULL;
}

/*
 * Can TLS be served with what is configured?  Returns what is wrong, or NULL.
 */
const char *
tls_check(const struct config *config)
{
	const char *problem;
	SSL_CTX    *tls;

	if (config->tls_cert[0] == '\0' && config->tls_key[0] == '\0')
		return NULL;
	if (config->tls_cert[0] == '\0' || config->tls_key[0] == '\0')
		return "tls_cert and tls_key belong together: give both or none";
	tls = SSL_CTX_new(TLS_server_method());
	if (tls == NULL)
		return "OpenSSL does not start";
	problem = check_files(tls, config);
	SSL_CTX_free(tls);
	return problem;
}

/* What libwebsockets must know to serve it. */
void
tls_set_up(const struct config *config, struct lws_context_creation_info *info)
{
	if (!tls_is_on(config))
		return;
	info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info->ssl_cert_filepath = config->tls_cert;
	info->ssl_private_key_filepath = config->tls_key;
	info->ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
}
