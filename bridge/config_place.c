/*
 * config_place.c
 *		Where in the file a value is written.
 *
 * What is wrong with a value is often found long after its line was read, by the
 * module that knows what it is for, and so is said without the line.  Those are
 * kept here, and put in front.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define PLACE_COMPARED	60		/* so much of a value; a message may cut it */

struct config_place
{
	int			setting;
	int			line;
	char	   *value;
};

/* This line of the file sets this. */
void
config_place_add(struct config *config, int setting, const char *value, int line)
{
	struct config_place *place;

	config->places = mem_grow(config->places,
							  sizeof(*place) * (size_t) (config->places_count + 1));
	place = &config->places[config->places_count++];
	place->setting = setting;
	place->line = line;
	place->value = mem_strdup(value);
}

void
config_places_free(struct config *config)
{
	for (int i = 0; i < config->places_count; i++)
		free(config->places[i].value);
	free(config->places);
	free(config->file);
	config->places = NULL;
	config->places_count = 0;
	config->file = NULL;
}

/*
 * Is this the value that the problem is about?  Problems begin with the
 * setting, and with the value in quotes where there can be several; what flags
 * and variables set has no place.
 */
static bool
is_about(const char *problem, const struct config_place *place)
{
	char		start[160];
	int			len = snprintf(start, sizeof(start), "bad value for %s: \"%.*s",
							   settings[place->setting].key, PLACE_COMPARED, place->value);

	if (strncmp(problem, start, (size_t) len) == 0)
		return strlen(place->value) > PLACE_COMPARED || problem[len] == '"';
	len = snprintf(start, sizeof(start), "bad value for %s: ", settings[place->setting].key);
	return strncmp(problem, start, (size_t) len) == 0 && problem[len] != '"';
}

/* Write the problem to "out", with the line it comes from in front. */
void
config_locate(const struct config *config, const char *problem, char *out, size_t size)
{
	for (int i = config->places_count - 1; i >= 0; i--)
		if (is_about(problem, &config->places[i]))
		{
			snprintf(out, size, "%s:%d: %s", config->file, config->places[i].line, problem);
			return;
		}
	snprintf(out, size, "%s", problem);
}
