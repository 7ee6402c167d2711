/* The real copies that jobs make of mapped programs and libraries (see preload/mirror.h). They are
 * cheap to make again: the agent removes them when it ends and no job is connected. */
#ifndef WARMPATH_AGENT_COPIES_H
#define WARMPATH_AGENT_COPIES_H

void copies_remove(void);

#endif
