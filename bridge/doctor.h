/*
 * doctor.h
 *		Is everything as it must be?  --doctor.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "config.h"
#include "conninfo.h"

int			doctor_run(const struct config *config, const struct conninfo *conninfo);

#endif							/* DOCTOR_H */
