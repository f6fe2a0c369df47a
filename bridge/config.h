/*
 * config.h
 *		The settings: one table for flags, environment, file and help.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "log.h"

#define CONFIG_WORKERS_MAX	64

enum config_auth
{
	CONFIG_AUTH_JWT,
	CONFIG_AUTH_NONE
};

struct config_list
{
	char	  **items;
	int			count;
};

struct config
{
	struct config_list listen;
	struct config_list admin_listen;
	char	   *db;
	int			auth;			/* enum config_auth */
	char	   *audience;		/* empty: not checked */
	char	   *cookie;
	struct config_list allowed_origin;
	char	   *tls_cert;		/* empty: no TLS */
	char	   *tls_key;
	char	   *www;			/* empty: nothing is served */
	struct config_list route;
	int			workers;		/* 0: as many as there are cores */
	int			log_level;		/* enum log_level */
	struct config_list trusted_proxy;
	int			max_connections;
	int			max_connections_per_address;	/* 0: no limit */
	int			max_subscriptions;
	int			body_bytes;
	int			accepts_per_second; /* 0: no limit */
	int			refused_per_minute; /* 0: no limit */
	int			frame_bytes;
	int			header_pool;
	int			handshake_timeout_ms;
	int			reply_timeout_ms;
	int			keepalive_timeout_ms;
	int			stalled_timeout_ms;
	int			action_connections;
	int			send_buffer_bytes;
	int			heartbeat_seconds;
	int			stream_lifetime_seconds;	/* 0: none */
	int			drain_seconds;
	int			alarm_latency_ms;	/* 0: none */
	int			alarm_depth;	/* 0: none */

	/* Where it comes from, for what is wrong with it. */
	char	   *file;			/* NULL: none was read */
	struct config_place *places;
	int			places_count;
};

enum config_action
{
	CONFIG_RUN,
	CONFIG_CHECK,
	CONFIG_DOCTOR,
	CONFIG_VERSION,
	CONFIG_HELP,
	CONFIG_BAD					/* "error" says why */
};

enum config_action config_load(struct config *config, int argc, char **argv,
							   char **envp, char *error, int error_size);
void		config_free(struct config *config);
void		config_print_help(void);

/* config_change.c */
bool		config_differs(const struct config *config, const struct config *other, int setting);
void		config_swap(struct config *config, struct config *other, int setting);

/* config_place.c */
void		config_place_add(struct config *config, int setting, const char *value, int line);
void		config_places_free(struct config *config);
void		config_locate(const struct config *config, const char *problem, char *out,
						  size_t size);

#endif							/* CONFIG_H */
