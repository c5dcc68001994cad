/* What both ports share of a Cortex-M4: start, tick, sleep, interrupts, resets and the watchdog that is none.
 *
 * A port gives RW_CORTEX_HZ, the clock of SysTick, on the compiler's command line, its vectors, its clock and its main.
 */
#ifndef RW_CORTEX_H
#define RW_CORTEX_H

#include "rw_board.h"

#define RW_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

typedef void (*rw_vector)(void);

/* The first 16 of a port's vectors, in a list; the port's own interrupts follow. */
#define RW_CORTEX_VECTORS                                                                                              \
    (rw_vector)(uintptr_t)rw_stack_top, rw_cortex_start, rw_cortex_nmi, rw_cortex_fault, rw_cortex_fault,              \
        rw_cortex_fault, rw_cortex_fault, NULL, NULL, NULL, NULL, rw_cortex_fault, rw_cortex_fault, NULL,              \
        rw_cortex_fault, rw_cortex_tick

extern uint32_t rw_stack_top[]; /* of the linker script */
_Noreturn void rw_cortex_start(void);
_Noreturn void rw_cortex_fault(void);
void rw_cortex_tick(void);
/* Of the port. The clock counts milliseconds by itself: an emulator that is kept waiting loses ticks. It is asked from
 * the tick and, with interrupts held back, from the loop. */
void rw_cortex_nmi(void);
uint32_t rw_cortex_clock_ms(void);
int main(void);

static inline void rw_irq_enable(unsigned irq)
{
    RW_REGISTER(0xE000E100u + 4u * (irq / 32u)) = 1u << irq % 32u;
}

static inline void rw_irq_disable(unsigned irq)
{
    RW_REGISTER(0xE000E180u + 4u * (irq / 32u)) = 1u << irq % 32u;
    __asm__ volatile("dsb\n\tisb" ::: "memory"); /* it is not taken any more from here on */
}

/* An interrupt that the node's loop must see has come: the next sleep ends at once. */
void rw_cortex_wake(void);
void rw_cortex_sleep(uint32_t ms);
uint32_t rw_cortex_now_ms(void);

/* Why this start came about; what a port knows better, it says before it resets. */
enum rw_reset rw_cortex_reset_reason(void);
void rw_cortex_note_reset(enum rw_reset reason);
_Noreturn void rw_cortex_reset(enum rw_reset reason);

/* A watchdog in software, for machines that model none: the tick resets the processor if no kick comes for so long.
 * It does not see an interrupt that never returns, as a watchdog of its own clock would. 0 switches it off. */
void rw_cortex_watchdog(uint32_t ms);
void rw_cortex_kick(void);

/* Bytes of stack that were ever written to. */
uint32_t rw_cortex_stack_used(void);

#endif
