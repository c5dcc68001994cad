/* The stack that one call takes, by painting it first. */
#ifndef RW_STACK_H
#define RW_STACK_H

#include <stdint.h>

/* Calls run(arena) and returns how many bytes of stack below the caller's it wrote to, bottom being the lowest word. */
uint32_t rw_stack_used_by(void (*run)(void *), void *arena, uint32_t *bottom);

#endif
