/*
 * admission.h
 *		Who may come in, and how often somebody may be refused.
 */
#ifndef ADMISSION_H
#define ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "config.h"
#include "intern.h"

struct admission;

/* Whom to count: the subject of a good token, else where the client is. */
struct admission_who
{
	const struct istr *subject; /* NULL: no good token came */
	const struct istr *place;
};

enum admission_answer
{
	ADMISSION_OK,
	ADMISSION_FULL,				/* max_connections */
	ADMISSION_CROWDED			/* max_connections_per_address */
};

struct admission *admission_create(const struct config *config) must_check;
void		admission_set(struct admission *admission, const struct config *config);
void		admission_free(struct admission *admission);
const char *admission_check(const struct config *config);

bool		admission_is_proxy(const struct admission *admission,
							   const struct address *peer);
struct address admission_client(const struct admission *admission,
								const struct address *peer, const char *forwarded);
enum admission_answer admission_enter(struct admission *admission,
									  const struct address *address, bool is_admin,
									  struct istr **place) must_check;
bool		admission_move(struct admission *admission, const struct address *address,
						   struct istr **place) must_check;
void		admission_leave(struct admission *admission, struct istr *place);
bool		admission_worker_gone(struct admission *admission, int worker) must_check;

int64_t		admission_wait_ms(const struct admission *admission,
							  const struct admission_who *who, int64_t now_ms);
void		admission_refused(struct admission *admission, const struct admission_who *who,
							  const char *what, size_t len, int64_t now_ms);
int64_t		admission_refuse_ms(struct admission *admission, const struct admission_who *who,
								int64_t now_ms) must_check;
bool		admission_expired(struct admission *admission, const struct admission_who *who,
							  int64_t now_ms);

#endif							/* ADMISSION_H */
