/*
 * send.h
 *		Messages out, by NOTIFY.
 */
#ifndef SP_SEND_H
#define SP_SEND_H

/* Sends messages in a transaction of its own; may raise an error. */
typedef void (*SpNotifier) (char **messages, int count);

extern bool sp_send(SpNotifier notify, char **messages, int count, char *error);

#endif							/* SP_SEND_H */
