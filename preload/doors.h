/* The missed-door detector: WARMPATH_LOG=debug:doors.
 *
 * A call that the library does not see meets the placeholder and fails with EBADF or EACCES;
 * nothing inside the process can notice that. So a seccomp filter announces the calls that read,
 * map or list, before they are carried out, to a watcher process beside the job. It looks whether
 * the descriptor is a placeholder, writes a line with the program's name, and lets the call go on.
 * The library itself never reads or maps a placeholder: whatever is announced of one was missed.
 *
 * Children inherit the filter, whatever they execute and whatever environment they have, so static
 * programs show too. The price: setuid programs keep the job's rights (no_new_privs), and two
 * context switches a call. The watcher ends with the last process under the filter. Needs
 * Linux 5.9.
 */
#ifndef WARMPATH_PRELOAD_DOORS_H
#define WARMPATH_PRELOAD_DOORS_H

/* Begins to watch this process, if the log asks for it. Once, from the constructor. */
void doors_watch(void);

#endif
