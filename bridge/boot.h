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
struct tls;
struct www;

struct boot
{
	/* Where the settings are from, to be read again when that is asked for. */
	int			argc;
	char	  **argv;
	char	  **envp;

	struct config config;
	struct conninfo conninfo;
	struct sockets sockets;

	/*
	 * What was read from files for these settings, as a worker has it from
	 * the supervisor: it is not read again for a worker that is started
	 * later, or that would serve something else than the others, or not start
	 * at all.
	 */
	struct tls *tls;			/* NULL: none */
	struct www *www;			/* likewise */

	/* What counts over all workers, in memory that they share. */
	struct admission *admission;
	struct pace *pace;
};

#endif							/* BOOT_H */
