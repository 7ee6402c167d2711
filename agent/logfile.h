/* The agent's log on the disk of its cache, which may be stalled: what is logged goes through a
 * pipe to a thread that writes it. Lines that find the pipe full are lost. */
#ifndef WARMPATH_AGENT_LOGFILE_H
#define WARMPATH_AGENT_LOGFILE_H

/* From here on standard error goes to that file (made anew when it is large). Does nothing where it
 * can't be opened. */
void logfile_start(const char *path);

/* Waits until what was logged is written, for a second at most. */
void logfile_end(void);

#endif
