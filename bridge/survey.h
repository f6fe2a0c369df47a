/*
 * survey.h
 *		What the database says about itself.
 */
#ifndef SURVEY_H
#define SURVEY_H

#include <stdint.h>

#include "mem.h"

struct query;
struct survey;

struct survey *survey_create(struct query *query) must_check;
void		survey_free(struct survey *survey);
void		survey_start(struct survey *survey);
void		survey_tick(struct survey *survey, int64_t now_ms);
const char *survey_missing_rights(const struct survey *survey);
double		survey_queue_usage(const struct survey *survey);
const char *survey_server(const struct survey *survey);
const char *survey_worker(const struct survey *survey);

#endif							/* SURVEY_H */
