/*
 * codes.h
 *		The words of the wire, each in one place.
 */
#ifndef CODES_H
#define CODES_H

#define CODE_PROGRAM				"sync-progress-bridge"
#define CODE_VERSION				"1.0.0"

#define CODE_CABLE_PATH				"/cable"
#define CODE_CABLE_PROTOCOL			"actioncable-v1-json"
#define CODE_CABLE_UNSUPPORTED		"actioncable-unsupported"

/* Reasons of the cable's disconnect frame. */
#define CODE_UNAUTHORIZED			"unauthorized"
#define CODE_SERVER_RESTART			"server_restart"
#define CODE_TOKEN_EXPIRED			"token_expired"
#define CODE_REMOTE					"remote"

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
