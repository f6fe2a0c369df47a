/*
 * boot.h
 *		What a bridge is started with.
 */
#ifndef BOOT_H
#define BOOT_H

#include "config.h"
#include "conninfo.h"
#include "sockets.h"

struct admission;
struct pace;

struct boot
{
	/* Where the settings are from, to be read again when that is asked for. */
	int			argc;
	char	  **argv;
	char	  **envp;

	struct config config;
	struct conninfo conninfo;
	struct sockets sockets;

	/* What counts over all workers, in memory that they share. */
	struct admission *admission;
	struct pace *pace;
};

#endif							/* BOOT_H */
