/*
 * options.c
 *		The load client's command line.
 */
#include "options.h"

#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
"load: hold many connections to a relay, and measure what comes.\n\n"
"  --url URL           ws://HOST:PORT/PATH, or http://HOST:PORT/PATH for Server-Sent Events\n"
"  --connections N     how many (1)\n"
"  --protocol NAME     the WebSocket subprotocol to offer\n"
"  --header LINE       one more header of the request; repeatable\n"
"  --subscribe TEXT    the frame to send once connected\n"
"  --ids FIRST-LAST    connection i has the id FIRST + i modulo their number (1-1)\n"
"  --tokens FILE       a token a line, given to the connections in turn\n"
"                      (in URL, headers and TEXT, %%d is the id and %%t the token)\n"
"  --ready TEXT        a connection is ready with the first frame that holds TEXT;\n"
"                      '' as soon as it is open (by default with its first state)\n"
"  --seq KEY           key of a state's number, which only grows (seq)\n"
"  --sent KEY          key of the time it was sent, in seconds since 1970 (sent_at)\n"
"  --at-once N         handshakes under way at a time (200)\n"
"  --sources N         connect from 127.0.0.1 to 127.0.0.N in turn (the system chooses)\n"
"  --slow N            the first N connections are those that \"stop\" stops ...\n"
"  --rcvbuf BYTES      ... and have this SO_RCVBUF\n"
"  --again SECONDS     come back after a random time up to this when cut off\n"
"  --pid PID           the server, whose CPU time and memory are reported\n"
"  --seconds S         measure for S seconds once all are ready, report, and leave\n\n"
"Without --seconds it reads commands from stdin, a line each: begin (count from\n"
"here), report, stop, wake, cut (close all; with --again they come back), await SEQ\n"
"(says when all have that state or a later one), quit.  Answers are JSON, a line each.\n";

static void
__attribute__((format(printf, 1, 2), noreturn))
fail(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" (--help says more)\n", stderr);
	exit(2);
}

static void *
grow(void *array, size_t bytes)
{
	array = realloc(array, bytes);
	if (array == NULL)
		fail("out of memory");
	return array;
}

static char *
quoted_key(const char *key)
{
	char	   *text;

	if (asprintf(&text, "\"%s\":", key) < 0)
		fail("out of memory");
	return text;
}

static void
read_url(struct options *options, const char *url)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *info;
	char		name[256];
	char		port[16] = "80";
	const char *at;

	options->is_ws = strncmp(url, "ws://", 5) == 0;
	if (!options->is_ws && strncmp(url, "http://", 7) != 0)
		fail("the URL must begin with ws:// or http://: \"%s\"", url);
	at = url + (options->is_ws ? 5 : 7);
	options->path = strchrnul(at, '/');
	options->host = strndup(at, (size_t) (options->path - at));
	if (options->host == NULL || sscanf(options->host, "%255[^:]:%15s", name, port) < 1)
		fail("no host in the URL \"%s\"", url);
	if (*options->path == '\0')
		options->path = "/";
	if (getaddrinfo(name, port, &hints, &info) != 0)
		fail("unknown host \"%s\"", options->host);
	memcpy(&options->address, info->ai_addr, sizeof(options->address));
	freeaddrinfo(info);
}

static void
read_tokens(struct options *options, const char *path)
{
	FILE	   *file = fopen(path, "re");
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;

	if (file == NULL)
		fail("cannot read %s", path);
	while ((len = getline(&line, &size, file)) > 0)
	{
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		options->tokens = grow(options->tokens, sizeof(char *) * (size_t) (options->ntokens + 1));
		options->tokens[options->ntokens++] = strdup(line);
	}
	free(line);
	fclose(file);
	if (options->ntokens == 0)
		fail("there is no token in %s", path);
}

static long
number(const char *name, const char *text, long min)
{
	char	   *end;
	long		value = strtol(text, &end, 10);

	if (end == text ||*end != '\0' || value < min)
		fail("--%s must be a number from %ld, not \"%s\"", name, min, text);
	return value;
}

static double
seconds(const char *name, const char *text)
{
	char	   *end;
	double		value = strtod(text, &end);

	if (end == text ||*end != '\0' || value < 0)
		fail("--%s must be a number of seconds, not \"%s\"", name, text);
	return value;
}

static void
read_ids(struct options *options, const char *text)
{
	long		last;

	if (sscanf(text, "%ld-%ld", &options->first_id, &last) != 2 || last < options->first_id)
		fail("--ids must be of the form FIRST-LAST, not \"%s\"", text);
	options->ids = last - options->first_id + 1;
}

/* One option; "name" is the long one's. */
static void
read_one(struct options *options, int letter, const char *name)
{
	switch (letter)
	{
		case 'u':
			read_url(options, optarg);
			break;
		case 'n':
			options->connections = (int) number(name, optarg, 1);
			break;
		case 'p':
			options->protocol = optarg;
			break;
		case 'h':
			if (options->nheaders == OPTIONS_HEADERS_MAX)
				fail("too many headers");
			options->headers[options->nheaders++] = optarg;
			break;
		case 's':
			options->subscribe = optarg;
			break;
		case 'i':
			read_ids(options, optarg);
			break;
		case 't':
			read_tokens(options, optarg);
			break;
		case 'r':
			options->ready = optarg;
			break;
		case 'q':
			options->seq_key = quoted_key(optarg);
			break;
		case 'e':
			options->sent_key = quoted_key(optarg);
			break;
		case 'o':
			options->at_once = (int) number(name, optarg, 1);
			break;
		case 'f':
			options->sources = (int) number(name, optarg, 0);
			break;
		case 'l':
			options->slow = (int) number(name, optarg, 0);
			break;
		case 'b':
			options->rcvbuf = (int) number(name, optarg, 1);
			break;
		case 'a':
			options->again_s = seconds(name, optarg);
			break;
		case 'P':
			options->pid = (int) number(name, optarg, 1);
			break;
		case 'S':
			options->seconds = seconds(name, optarg);
			break;
		case 'H':
			printf(usage);
			exit(0);
		default:
			exit(2);
	}
}

void
options_read(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"url", required_argument, NULL, 'u'},
		{"connections", required_argument, NULL, 'n'},
		{"protocol", required_argument, NULL, 'p'},
		{"header", required_argument, NULL, 'h'},
		{"subscribe", required_argument, NULL, 's'},
		{"ids", required_argument, NULL, 'i'},
		{"tokens", required_argument, NULL, 't'},
		{"ready", required_argument, NULL, 'r'},
		{"seq", required_argument, NULL, 'q'},
		{"sent", required_argument, NULL, 'e'},
		{"at-once", required_argument, NULL, 'o'},
		{"sources", required_argument, NULL, 'f'},
		{"slow", required_argument, NULL, 'l'},
		{"rcvbuf", required_argument, NULL, 'b'},
		{"again", required_argument, NULL, 'a'},
		{"pid", required_argument, NULL, 'P'},
		{"seconds", required_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'H'},
		{NULL, 0, NULL, 0}
	};
	int			letter;
	int			index = 0;

	*options = (struct options)
	{
		.connections = 1, .at_once = 200, .first_id = 1, .ids = 1, .again_s = -1,
			.sent_key = quoted_key("sent_at"), .seq_key = quoted_key("seq")
	};
	while ((letter = getopt_long(argc, argv, "", longs, &index)) != -1)
		read_one(options, letter, longs[index].name);
	if (optind < argc)
		fail("unexpected argument \"%s\"", argv[optind]);
	if (options->host == NULL)
		fail("--url is missing");
	if (options->slow > options->connections)
		fail("--slow must not be more than --connections");
	if (options->sources > 250)
		fail("--sources must not be more than 250");
}
