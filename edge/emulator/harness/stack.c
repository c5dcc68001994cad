/* The stack that one call takes: everything below the caller's is painted, and searched afterwards from the bottom up.
 *
 * In assembly, because painting reaches up to the very word that the call writes first; a function in C would have a frame
 * of its own there. What a run reserves but never writes is not seen.
 */
#include "stack.h"

__attribute__((naked)) uint32_t rw_stack_used_by(void (*run)(void *), void *arena, uint32_t *bottom)
{
    (void)run;
    (void)arena;
    (void)bottom;
    __asm__ volatile("push {r4, r5, r6, lr}\n\t"
                     "mov r3, r0\n\t"
                     "mov r0, r1\n\t"
                     "mov r4, r2\n\t"
                     "movw r5, #0xC35A\n\t"
                     "movt r5, #0x5AC3\n\t"
                     "mov r6, sp\n"
                     "1:\n\t"
                     "cmp r2, r6\n\t"
                     "bhs 2f\n\t"
                     "str r5, [r2], #4\n\t"
                     "b 1b\n"
                     "2:\n\t"
                     "blx r3\n"
                     "3:\n\t"
                     "cmp r4, r6\n\t"
                     "bhs 4f\n\t"
                     "ldr r2, [r4], #4\n\t"
                     "cmp r2, r5\n\t"
                     "beq 3b\n\t"
                     "subs r4, r4, #4\n"
                     "4:\n\t"
                     "subs r0, r6, r4\n\t"
                     "pop {r4, r5, r6, pc}\n\t");
}
