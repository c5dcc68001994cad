/* Start, tick, sleep, resets and faults of a Cortex-M4F. A fault is written down, printed and answered with a reset.
 *
 * Source: Arm, ARMv7-M Architecture Reference Manual (DDI 0403), chapters B1 (exceptions) and B3 (system registers, MPU,
 * SysTick). What must outlive a reset lies in a section that the start leaves alone.
 */
#include "rw_cortex.h"

#include "semihosting.h"

#define CPACR RW_REGISTER(0xE000ED88u)
#define CFSR RW_REGISTER(0xE000ED28u)
#define AIRCR RW_REGISTER(0xE000ED0Cu)
#define SYST_CSR RW_REGISTER(0xE000E010u)
#define SYST_RVR RW_REGISTER(0xE000E014u)
#define SYST_CVR RW_REGISTER(0xE000E018u)
#define MPU_CTRL RW_REGISTER(0xE000ED94u)
#define MPU_RBAR RW_REGISTER(0xE000ED9Cu)
#define MPU_RASR RW_REGISTER(0xE000EDA0u)
#define FULL_ACCESS_TO_FPU (0xFu << 20)
#define RESET_REQUEST 0x05FA0004u
#define SYST_ON_WITH_INTERRUPT 7u
#define MPU_ON_WITH_DEFAULT_MAP 5u
#define GUARD_BYTES_LOG2 5u
#define MPU_EXECUTE_NEVER (1u << 28)
#define FRAME_PC 6u
#define FRAME_WORDS 8u
#define KEPT_MAGIC 0x52574B31u
#define PAINT 0x5AC3C35Au

/* Of the linker script. */
extern uint32_t rw_stack_bottom[];
extern uint32_t rw_data_start[], rw_data_end[];
extern const uint32_t rw_data_load[];
extern uint32_t rw_bss_start[], rw_bss_end[];

/* Outlives a reset, not the loss of power. */
struct rw_kept {
    uint32_t magic;
    uint32_t reason;
};
__attribute__((section(".noinit"))) static volatile struct rw_kept kept;

static volatile uint32_t kicked_ms, limit_ms;
static volatile bool woken;
static enum rw_reset started_by;

/* Faults are reported on a stack of their own: the one that faulted may have overflowed. */
uint64_t rw_cortex_fault_stack[32];

/* The lowest words of the stack cannot be written: what overflows it faults instead of writing over variables. */
static void protect(void)
{
    MPU_RBAR = (uint32_t)(uintptr_t)rw_stack_bottom | 0x10u;
    MPU_RASR = MPU_EXECUTE_NEVER | ((GUARD_BYTES_LOG2 - 1u) << 1) | 1u;
    MPU_CTRL = MPU_ON_WITH_DEFAULT_MAP;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

static enum rw_reset why(void)
{
    const enum rw_reset reason = kept.magic == KEPT_MAGIC ? (enum rw_reset)kept.reason : RW_RESET_POWER;

    kept.magic = KEPT_MAGIC;
    kept.reason = RW_RESET_PIN; /* until someone says otherwise before the next start */
    return reason;
}

static void start_c(void)
{
    uint32_t *to = rw_data_start;

    for (const uint32_t *from = rw_data_load; to < rw_data_end; to++, from++) {
        *to = *from;
    }
    for (to = rw_bss_start; to < rw_bss_end; to++) {
        *to = 0;
    }
    const uint32_t *const here = (const uint32_t *)__builtin_frame_address(0) - 16; /* below what this frame uses */
    for (to = rw_stack_bottom; to < here; to++) {
        *to = PAINT;
    }
}

_Noreturn void rw_cortex_start(void)
{
    CPACR |= FULL_ACCESS_TO_FPU;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    start_c();
    protect();
    started_by = why();
    SYST_RVR = RW_CORTEX_HZ / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_ON_WITH_INTERRUPT;
    rw_semihosting_exit((uint32_t)main());
}

void rw_cortex_tick(void)
{
    if (limit_ms != 0 && rw_cortex_clock_ms() - kicked_ms > limit_ms) {
        rw_cortex_reset(RW_RESET_WATCHDOG);
    }
}

uint32_t rw_cortex_now_ms(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    const uint32_t now_ms = rw_cortex_clock_ms();
    __asm__ volatile("cpsie i" ::: "memory");
    return now_ms;
}

void rw_cortex_wake(void)
{
    woken = true;
}

/* Interrupts are held back between the look and WFI, which they end all the same: none is slept over. */
void rw_cortex_sleep(uint32_t ms)
{
    const uint32_t from = rw_cortex_now_ms();

    while (rw_cortex_now_ms() - from < ms) {
        __asm__ volatile("cpsid i" ::: "memory");
        const bool stay = woken;
        if (!stay) {
            __asm__ volatile("dsb\n\twfi" ::: "memory");
        }
        __asm__ volatile("cpsie i\n\tisb" ::: "memory");
        if (stay) {
            break;
        }
    }
    woken = false;
}

enum rw_reset rw_cortex_reset_reason(void)
{
    return started_by;
}

void rw_cortex_note_reset(enum rw_reset reason)
{
    kept.reason = (uint32_t)reason;
}

_Noreturn void rw_cortex_reset(enum rw_reset reason)
{
    rw_cortex_note_reset(reason);
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = RESET_REQUEST;
    for (;;) {
    }
}

void rw_cortex_watchdog(uint32_t ms)
{
    kicked_ms = rw_cortex_now_ms();
    limit_ms = ms;
}

void rw_cortex_kick(void)
{
    kicked_ms = rw_cortex_now_ms();
}

uint32_t rw_cortex_stack_used(void)
{
    const uint32_t *word = rw_stack_bottom + (1u << GUARD_BYTES_LOG2) / sizeof *word; /* the guard cannot be read */

    while (word < rw_stack_top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)rw_stack_top - (uintptr_t)word);
}

_Noreturn void rw_cortex_report(const uint32_t *frame);

__attribute__((naked)) void rw_cortex_fault(void)
{
    __asm__ volatile("mov r0, sp\n\t"
                     "ldr r1, =rw_cortex_fault_stack + 256\n\t"
                     "mov sp, r1\n\t"
                     "b rw_cortex_report\n\t"
                     ".ltorg");
}

_Noreturn void rw_cortex_report(const uint32_t *frame)
{
    const bool lies_in_stack = frame >= rw_stack_bottom + 8 && frame + FRAME_WORDS <= rw_stack_top;

    rw_semihosting_print("fault at ");
    rw_semihosting_print_word(lies_in_stack ? frame[FRAME_PC] : 0u);
    rw_semihosting_print(" cfsr ");
    rw_semihosting_print_word(CFSR);
    rw_semihosting_print(lies_in_stack ? "\n" : " stack overflow\n");
    rw_cortex_reset(RW_RESET_FAULT);
}
