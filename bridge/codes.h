/*
 * codes.h
 *		The words of the wire, each in one place.
 */
#ifndef CODES_H
#define CODES_H

#define CODE_PROGRAM				"sync-progress-bridge"
#define CODE_VERSION				"1.1.0"

#define CODE_CABLE_PATH				"/cable"
#define CODE_CABLE_PROTOCOL			"actioncable-v1-json"
#define CODE_CABLE_UNSUPPORTED		"actioncable-unsupported"

/* Reasons of the cable's disconnect frame. */
#define CODE_UNAUTHORIZED			"unauthorized"
#define CODE_SERVER_RESTART			"server_restart"
#define CODE_TOKEN_EXPIRED			"token_expired"
#define CODE_REMOTE					"remote"

/* Messages of an event stream, besides those that the cable has too. */
#define CODE_STREAM_CONNECTED		"connected"
#define CODE_STREAM_STALE			"stale"
#define CODE_STREAM_ERROR			"error"
#define CODE_TOKEN_EXPIRING			"token_expiring"

/* What such an error says. */
#define CODE_STREAM_REFUSED			"not found, or no longer allowed"
#define CODE_STREAM_EXPIRED			"token expired"
#define CODE_STREAM_REMOTE			"disconnected by an administrator"

/* The channel of an owner's list events. */
#define CODE_OWNER_CHANNEL			"SessionsChannel"

/* Why the database refused a subscription. */
#define CODE_REFUSED_UNAVAILABLE	"unavailable"

/* Types of a notification. */
#define CODE_EVENT_PROGRESS			"progress"
#define CODE_EVENT_REVOKED			"revoked"
#define CODE_EVENT_HEARTBEAT		"heartbeat"
#define CODE_EVENT_DISCONNECT		"disconnect"

/* An event that means: read the list anew. */
#define CODE_EVENT_RELOADED			"sessions_reloaded"

/* The stream of an owner is called this and the owner's id. */
#define CODE_OWNER_STREAM			"owner:"

#define CODE_CHANNEL				"sync_progress"
#define CODE_EXTENSION				"sync_progress"

#endif							/* CODES_H */
