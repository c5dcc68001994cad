/* Reset, vectors and faults of a Cortex-M4F: memory is set up, the floating-point unit is switched on, main is called.
 *
 * What main returns becomes the emulator's exit status; a fault ends the emulator with RW_BOARD_FAULT and one line.
 * Source: Arm, ARMv7-M Architecture Reference Manual (DDI 0403), chapters B1 (exceptions) and B3 (system registers, MPU).
 */
#include "board.h"

#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CFSR (*(volatile uint32_t *)0xE000ED28u)
#define FULL_ACCESS_TO_FPU (0xFu << 20)
#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)
#define MPU_ON_WITH_DEFAULT_MAP 5u
#define MPU_REGION(base, number) ((base) | 0x10u | (number))
#define MPU_EXECUTE_NEVER (1u << 28)
#define MPU_READ_ONLY (6u << 24)
#define MPU_SIZE_ON(exponent) ((((exponent) - 1u) << 1) | 1u) /* 2^exponent bytes */
#define FRAME_PC 6u    /* index of the program counter in the frame that an exception stacks */
#define FRAME_WORDS 8u

/* Of the linker script. */
extern uint32_t rw_board_stack_top[];
extern uint32_t rw_board_data_start[], rw_board_data_end[];
extern const uint32_t rw_board_data_load[];
extern uint32_t rw_library_data_start[], rw_library_data_end[];
extern const uint32_t rw_library_data_load[];
extern uint32_t rw_board_bss_start[], rw_board_bss_end[];

int main(void);
_Noreturn void rw_board_reset(void);
_Noreturn void rw_board_fault(void);
_Noreturn void rw_board_report(const uint32_t *frame);

/* Faults are reported on a stack of their own: the one that faulted may have overflowed, and its frame is still read. */
uint64_t rw_board_fault_stack[32];

typedef void (*vector)(void);

__attribute__((section(".rw_vectors"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)rw_board_stack_top,
    rw_board_reset,
    rw_board_fault, /* NMI */
    rw_board_fault, /* HardFault */
    rw_board_fault, /* MemManage */
    rw_board_fault, /* BusFault */
    rw_board_fault, /* UsageFault */
    NULL,
    NULL,
    NULL,
    NULL,
    rw_board_fault, /* SVCall */
    rw_board_fault, /* DebugMonitor */
    NULL,
    rw_board_fault, /* PendSV */
    rw_board_fault, /* SysTick */
};

static void copy(uint32_t *to, const uint32_t *end, const uint32_t *from)
{
    while (to < end) {
        *to++ = *from++;
    }
}

/* QEMU lets writes to the code and to the void below the stack pass in silence; so both are made to fault. */
static void protect(void)
{
    MPU_RBAR = MPU_REGION(0x10000000u, 0u);
    MPU_RASR = MPU_EXECUTE_NEVER | MPU_SIZE_ON(28u); /* no access up to the data memory */
    MPU_RBAR = MPU_REGION(0x00000000u, 1u);
    MPU_RASR = MPU_READ_ONLY | MPU_SIZE_ON(22u);
    MPU_CTRL = MPU_ON_WITH_DEFAULT_MAP;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

_Noreturn void rw_board_reset(void)
{
    CPACR |= FULL_ACCESS_TO_FPU;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    copy(rw_board_data_start, rw_board_data_end, rw_board_data_load);
    copy(rw_library_data_start, rw_library_data_end, rw_library_data_load);
    for (uint32_t *word = rw_board_bss_start; word < rw_board_bss_end; word++) {
        *word = 0;
    }
    protect();
    rw_semihosting_exit((uint32_t)main());
}

__attribute__((naked)) void rw_board_fault(void)
{
    __asm__ volatile("mov r0, sp\n\t"
                     "ldr r1, =rw_board_fault_stack + 256\n\t"
                     "mov sp, r1\n\t"
                     "b rw_board_report\n\t"
                     ".ltorg");
}

_Noreturn void rw_board_report(const uint32_t *frame)
{
    const bool frame_lies_in_stack = frame >= rw_board_stack_bottom && frame + FRAME_WORDS <= rw_board_stack_top;

    rw_semihosting_print("fault at ");
    rw_semihosting_print_word(frame_lies_in_stack ? frame[FRAME_PC] : 0u);
    rw_semihosting_print(" cfsr ");
    rw_semihosting_print_word(CFSR);
    rw_semihosting_print(frame_lies_in_stack ? "\n" : " stack overflow\n");
    rw_semihosting_exit(RW_BOARD_FAULT);
}
