/*
 * payload.h
 *		The notification's text: the only place that knows the wire.
 */
#ifndef SP_PAYLOAD_H
#define SP_PAYLOAD_H

#include "datatype/timestamp.h"

#define SP_MESSAGE_MAX_BYTES	7999	/* NOTIFY's limit */

/* What lists show of a session. */
typedef struct SpFacts
{
	int64		session;
	const char *job_id;
	const char *kind;
	const char *source_id;
	const char *title;			/* or NULL */
	bool		pinned;
	const char *status;
	int			lock_version;
	int64		version;
} SpFacts;

extern char *sp_payload_compact(const char *json);
extern char *sp_payload_progress(const char *stream, int64 version, bool final, const char *owner,
								 const char *data, TimestampTz now);
extern char *sp_payload_revoked(const char *stream, TimestampTz now);
extern char *sp_payload_facts(const SpFacts *facts);
extern char *sp_payload_event(const char *owner, int64 version, const char *type,
							  const char *data, TimestampTz now);
extern char *sp_payload_disconnect(const char *owner, int64 version, const char *data, TimestampTz now);
extern char *sp_payload_heartbeat(TimestampTz now);

#endif							/* SP_PAYLOAD_H */
