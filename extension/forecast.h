/*
 * forecast.h
 *		When so many more items will be done, from how fast a run has moved.
 */
#ifndef SP_FORECAST_H
#define SP_FORECAST_H

#include "tempo.h"

typedef struct SpForecast
{
	double		seconds;		/* until it is done */
	double		spread;			/* by how much (logarithm) the views differ */
} SpForecast;

extern double sp_forecast_speed(const SpTempo *tempo);
extern void sp_forecast_ends(const SpTempo *tempo, double *first, double *last, double *variance);
extern void sp_forecast(const SpTempo *tempo, double items, int64_t now_us, SpForecast *forecast);

#endif							/* SP_FORECAST_H */
