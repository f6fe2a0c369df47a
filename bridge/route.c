/*
 * route.c
 *		Which path is served by what.
 *
 * A pattern is a path in which a segment may be a parameter, ":id".  The table
 * says what there is; aliases from the configuration put an application's own
 * paths in front of it: "GET /jobs/:id -> /sessions/ConnectionSyncChannel/:id".
 * The right side is a path of the table, each of whose parameters is given as a
 * fixed text or taken from the left side.  An alias is checked when it is added,
 * so that a wrong one is found at the start and not by the first user.
 *
 * Pure: it knows neither sockets nor the configuration's file.
 */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUTE_SEGMENTS_MAX	12
#define ROUTE_ALIASES_MAX	256

static const char *const method_names[ROUTE_METHODS] = {
	[METHOD_GET] = "GET",
	[METHOD_POST] = "POST",
	[METHOD_OPTIONS] = "OPTIONS",
	[METHOD_PUT] = "PUT",
	[METHOD_PATCH] = "PATCH",
	[METHOD_DELETE] = "DELETE",
	[METHOD_OTHER] = "OTHER"
};

static const char *const param_names[ROUTE_PARAMS] = {
	[ROUTE_CHANNEL] = "channel",
	[ROUTE_ID] = "id",
	[ROUTE_ACTION] = "action"
};

struct segments
{
	char	   *text;			/* owns the bytes of all */
	int			count;
	const char *items[ROUTE_SEGMENTS_MAX];
};

struct alias
{
	const struct route *route;
	struct segments from;
	/* Of each parameter: the segment of the path it is in, or a fixed text. */
	int			segment[ROUTE_PARAMS];	/* -1: fixed, or not there */
	char	   *fixed[ROUTE_PARAMS];
};

struct routes
{
	const struct route *table;
	int			count;
	struct alias *aliases;
	int			aliases_count;
};

const char *
route_method_name(enum route_method method)
{
	return method_names[method];
}

/* ---- paths ---- */

/*
 * Split a path at its slashes.  "/" has one segment, an empty one.  False: it
 * does not begin with a slash, or has more segments than any pattern.
 */
static bool
split(const char *path, struct segments *out)
{
	char	   *at;

	memset(out, 0, sizeof(*out));
	if (path[0] != '/')
		return false;
	out->text = mem_strdup(path + 1);
	at = out->text;
	while (at)
	{
		char	   *slash = strchr(at, '/');

		if (out->count == ROUTE_SEGMENTS_MAX)
			return false;
		if (slash)
			*slash++ = '\0';
		out->items[out->count++] = at;
		at = slash;
	}
	return true;
}

static void
segments_free(struct segments *segments)
{
	free(segments->text);
	memset(segments, 0, sizeof(*segments));
}

/* A parameter takes any segment but an empty one. */
static bool
fits(const struct segments *pattern, const struct segments *path)
{
	if (pattern->count != path->count)
		return false;
	for (int i = 0; i < pattern->count; i++)
		if (pattern->items[i][0] == ':' ? path->items[i][0] == '\0' :
			strcmp(pattern->items[i], path->items[i]) != 0)
			return false;
	return true;
}

static int
param_of(const char *name)
{
	for (int i = 0; i < ROUTE_PARAMS; i++)
		if (strcmp(param_names[i], name) == 0)
			return i;
	return -1;
}

/* ---- matching ---- */

/*
 * Take what matches, if its method is the one asked for and nothing was found
 * before.
 */
static bool
found(struct route_match *match, const struct route *route, enum route_method method)
{
	match->methods |= 1u << route->method;
	if (match->route || route->method != method)
		return false;
	match->route = route;
	return true;
}

static void
match_alias(const struct alias *alias, enum route_method method,
			const struct segments *path, struct route_match *match)
{
	if (!fits(&alias->from, path) || !found(match, alias->route, method))
		return;
	for (int i = 0; i < ROUTE_PARAMS; i++)
		if (alias->segment[i] >= 0)
			match->params[i] = mem_strdup(path->items[alias->segment[i]]);
		else if (alias->fixed[i])
			match->params[i] = mem_strdup(alias->fixed[i]);
}

static void
match_row(const struct route *route, enum route_method method,
		  const struct segments *path, struct route_match *match)
{
	struct segments pattern;

	if (!split(route->pattern, &pattern) || !fits(&pattern, path) ||
		!found(match, route, method))
	{
		segments_free(&pattern);
		return;
	}
	for (int i = 0; i < pattern.count; i++)
		if (pattern.items[i][0] == ':')
			match->params[param_of(pattern.items[i] + 1)] = mem_strdup(path->items[i]);
	segments_free(&pattern);
}

/*
 * Find what serves this.  Even if nothing does, "methods" says which would.
 */
void
routes_match(const struct routes *routes, enum route_method method, const char *path,
			 struct route_match *match)
{
	struct segments segments;

	memset(match, 0, sizeof(*match));
	if (split(path, &segments))
	{
		for (int i = 0; i < routes->aliases_count; i++)
			match_alias(&routes->aliases[i], method, &segments, match);
		for (int i = 0; i < routes->count; i++)
			match_row(&routes->table[i], method, &segments, match);
	}
	segments_free(&segments);
}

/* ---- aliases ---- */

static void
alias_clear(struct alias *alias)
{
	segments_free(&alias->from);
	for (int i = 0; i < ROUTE_PARAMS; i++)
		free(alias->fixed[i]);
}

/* Where in the alias's own path is this parameter?  -1: nowhere. */
static int
segment_of(const struct segments *from, const char *param)
{
	for (int i = 0; i < from->count; i++)
		if (strcmp(from->items[i], param) == 0)
			return i;
	return -1;
}

/*
 * Does the right side name this row?  Then give its parameters what it says.
 * "problem" is set if it does, but uses what the left side does not have.
 */
static bool
bind(struct alias *alias, const struct route *route, const struct segments *to,
	 const char **problem)
{
	struct segments pattern;
	bool		is_it = split(route->pattern, &pattern) && fits(&pattern, to);

	for (int i = 0; is_it && i < pattern.count; i++)
	{
		int			param;

		if (pattern.items[i][0] != ':')
			continue;
		param = param_of(pattern.items[i] + 1);
		if (to->items[i][0] != ':')
			alias->fixed[param] = mem_strdup(to->items[i]);
		else
		{
			alias->segment[param] = segment_of(&alias->from, to->items[i]);
			if (alias->segment[param] < 0)
				*problem = "the right side has a parameter that the left side has not";
		}
	}
	segments_free(&pattern);
	return is_it;
}

/* What is wrong with the left side, or NULL. */
static const char *
check_pattern(const struct routes *routes, const struct alias *alias,
			  enum route_method method)
{
	const struct segments *from = &alias->from;

	for (int i = 0; i < from->count; i++)
	{
		if (strpbrk(from->items[i], "?#%\\ ") || strcmp(from->items[i], ".") == 0 ||
			strcmp(from->items[i], "..") == 0)
			return "the left side must be a plain path";
		if (from->items[i][0] != ':')
			continue;
		if (from->items[i][1] == '\0')
			return "a parameter needs a name, as in :id";
		if (segment_of(from, from->items[i]) != i)
			return "the left side has a parameter twice";
	}
	for (int i = 0; i < routes->aliases_count; i++)
		if (routes->aliases[i].route->method == method &&
			fits(&routes->aliases[i].from, from) && fits(from, &routes->aliases[i].from))
			return "an earlier route has the same left side";
	return NULL;
}

/* Cut "METHOD PATH -> PATH" into its parts, which stay in "line". */
static bool
cut(char *line, enum route_method *method, char **from, char **to)
{
	char	   *rest;
	char	   *word = strtok_r(line, " \t", &rest);
	char	   *arrow;

	*from = strtok_r(NULL, " \t", &rest);
	arrow = strtok_r(NULL, " \t", &rest);
	*to = strtok_r(NULL, " \t", &rest);
	if (*to == NULL || strcmp(arrow, "->") != 0 || strtok_r(NULL, " \t", &rest))
		return false;
	for (int i = 0; i < METHOD_OTHER; i++)
		if (strcasecmp(method_names[i], word) == 0)
		{
			*method = i;
			return true;
		}
	return false;
}

/*
 * Set up "alias" from its line.  Returns what is wrong, or NULL.
 */
static const char *
alias_read(const struct routes *routes, char *line, struct alias *alias)
{
	enum route_method method;
	struct segments to;
	const char *problem = NULL;
	char	   *from;
	char	   *target;
	bool		has_path = false;

	for (int i = 0; i < ROUTE_PARAMS; i++)
		alias->segment[i] = -1;
	if (!cut(line, &method, &from, &target))
		return "it must be of the form GET /your/path/:id -> /events/SyncStatusChannel/:id";
	if (!split(from, &alias->from))
		return "the left side must be a path that begins with / and is not very long";
	problem = check_pattern(routes, alias, method);
	if (problem)
		return problem;

	if (!split(target, &to))
		problem = "the right side must be a path";
	for (int i = 0; problem == NULL && alias->route == NULL && i < routes->count; i++)
	{
		if (!bind(alias, &routes->table[i], &to, &problem))
			continue;
		has_path = true;
		if (routes->table[i].method == method)
			alias->route = &routes->table[i];
		else
			for (int j = 0; j < ROUTE_PARAMS; j++)
			{
				free(alias->fixed[j]);
				alias->fixed[j] = NULL;
			}
	}
	segments_free(&to);
	if (problem == NULL && alias->route == NULL)
		problem = has_path ? "the right side is not served for this method" :
			"the right side is no path of the bridge's";
	return problem;
}

/*
 * Add an alias.  False: "error" says what is wrong with it.
 */
bool
routes_add_alias(struct routes *routes, const char *line, char *error,
				 size_t error_size)
{
	struct alias alias = {0};
	char	   *copy = mem_strdup(line);
	const char *problem = routes->aliases_count == ROUTE_ALIASES_MAX ?
	"there are too many routes" : alias_read(routes, copy, &alias);

	free(copy);
	if (problem)
	{
		snprintf(error, error_size, "bad value for route: \"%s\": %s", line, problem);
		alias_clear(&alias);
		return false;
	}
	routes->aliases = mem_grow(routes->aliases,
							   sizeof(*routes->aliases) * (size_t) (routes->aliases_count + 1));
	routes->aliases[routes->aliases_count++] = alias;
	return true;
}

/* ---- life ---- */

/* The table must outlive them. */
struct routes *
routes_create(const struct route *table, int count)
{
	struct routes *routes = mem_zalloc(sizeof(*routes));

	routes->table = table;
	routes->count = count;
	return routes;
}

void
routes_free(struct routes *routes)
{
	for (int i = 0; i < routes->aliases_count; i++)
		alias_clear(&routes->aliases[i]);
	free(routes->aliases);
	free(routes);
}
