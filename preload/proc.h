/* What has to happen before and after a process forks. */
#ifndef WARMPATH_PRELOAD_PROC_H
#define WARMPATH_PRELOAD_PROC_H

/* Registers the fork handlers; once, from the constructor. */
void proc_init(void);

/* Hands the offsets of open files to the kernel: a child is about to share them. */
void proc_share_offsets(void);

#endif
