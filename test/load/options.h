/*
 * options.h
 *		What the load client was asked to do.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>

#define OPTIONS_HEADERS_MAX 16

struct options
{
	bool		is_ws;			/* else Server-Sent Events */
	struct sockaddr_in address;
	char	   *host;			/* as in the URL, with its port */
	const char *path;			/* a template, as "subscribe" is */
	const char *protocol;
	const char *headers[OPTIONS_HEADERS_MAX];
	int			nheaders;
	const char *subscribe;
	const char *ready;			/* text of the frame that makes a client
								 * ready; NULL: the first state; "": being
								 * connected */
	char	  **tokens;
	int			ntokens;
	int			connections;
	int			at_once;
	int			sources;
	int			slow;
	int			rcvbuf;
	long		first_id;
	long		ids;
	double		again_s;		/* < 0: a lost connection stays lost */
	double		seconds;		/* > 0: one run without commands */
	int			pid;
	char	   *sent_key;
	char	   *seq_key;
};

void		options_read(struct options *options, int argc, char **argv);

#endif							/* OPTIONS_H */
