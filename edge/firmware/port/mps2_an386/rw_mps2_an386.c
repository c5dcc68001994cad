/* The board mps2-an386 as QEMU models it: link on UART0, samples on UART1, the CMSDK watchdog, flash kept in a file.
 *
 * Source: Arm, Application Note AN386 (clocks, counters of FPGAIO) and Cortex-M System Design Kit Technical Reference Manual (DDI 0479): UART, watchdog.
 * The machine models no flash: 256 KB of its PSRAM stand in for it. Its supply is never low.
 */
#include "rw_cortex.h"
#include "rw_kept_flash.h"
#include "rw_ring.h"
#include "rw_sample_port.h"

#define UART_DATA(base) RW_REGISTER((base) + 0x00u)
#define UART_STATE(base) RW_REGISTER((base) + 0x04u)
#define UART_CTRL(base) RW_REGISTER((base) + 0x08u)
#define UART_INTCLEAR(base) RW_REGISTER((base) + 0x0Cu)
#define UART_BAUDDIV(base) RW_REGISTER((base) + 0x10u)
#define STATE_RX_FULL 2u
#define CTRL_TX_RX 3u
#define CTRL_TX_INTERRUPT 4u
#define CTRL_RX_INTERRUPT 8u
#define INT_TX 1u
#define INT_RX 2u
#define SMALLEST_BAUDDIV 16u

#define WATCHDOG 0x40008000u
#define WATCHDOG_LOAD RW_REGISTER(WATCHDOG + 0x000u)
#define WATCHDOG_CTRL RW_REGISTER(WATCHDOG + 0x008u)
#define WATCHDOG_INTCLR RW_REGISTER(WATCHDOG + 0x00Cu)
#define WATCHDOG_LOCK RW_REGISTER(WATCHDOG + 0xC00u)
#define WATCHDOG_UNLOCK 0x1ACCE551u
#define WATCHDOG_INTERRUPT_AND_RESET 3u
#define WATCHDOG_MS 2000u /* to the interrupt, and as long again to the reset */

#define COUNTER RW_REGISTER(0x40028018u) /* of FPGAIO, and what its clock is divided by, less 1 */
#define COUNTER_PRESCALE RW_REGISTER(0x4002801Cu)

#define FLASH_PLACE 0x21000000u
#define FLASH_BYTES 0x40000u

enum { LINK = 0x40004000, LINK_RX_IRQ = 0, LINK_TX_IRQ = 1, SAMPLES = 0x40005000, SAMPLES_RX_IRQ = 2 };

static struct rw_ring received, to_send;
static volatile bool sending;
static struct rw_sample_port samples;
static char name[RW_NAME_BYTES];
static struct rw_kept_flash kept_flash = {
    .nor.memory = (uint8_t *)FLASH_PLACE,
    .nor.flash = {(const uint8_t *)FLASH_PLACE, FLASH_BYTES, 4096u, 8u},
};

static void link_rx(void)
{
    if (rw_ring_full(&received)) { /* the byte stays where it is until the loop has made room */
        rw_irq_disable(LINK_RX_IRQ);
    } else if (UART_STATE(LINK) & STATE_RX_FULL) {
        UART_INTCLEAR(LINK) = INT_RX;
        (void)rw_ring_put(&received, (uint8_t)UART_DATA(LINK));
    } else {
        UART_INTCLEAR(LINK) = INT_RX;
    }
    rw_cortex_wake();
}

static void link_tx(void)
{
    uint8_t byte = 0;

    UART_INTCLEAR(LINK) = INT_TX;
    sending = rw_ring_take(&to_send, &byte);
    if (sending) {
        UART_DATA(LINK) = byte;
    }
}

static void samples_rx(void)
{
    UART_INTCLEAR(SAMPLES) = INT_RX;
    if ((UART_STATE(SAMPLES) & STATE_RX_FULL) && !rw_sample_port_byte(&samples, (uint8_t)UART_DATA(SAMPLES))) {
        rw_irq_disable(SAMPLES_RX_IRQ);
    }
    rw_cortex_wake();
}

/* The watchdog's first expiry; the second resets the processor, and so this waits for it. */
void rw_cortex_nmi(void)
{
    rw_cortex_note_reset(RW_RESET_WATCHDOG);
    for (;;) {
    }
}

__attribute__((section(".rw_vectors"), used)) static const rw_vector vectors[16 + 32] = {
    RW_CORTEX_VECTORS,
    [16 + LINK_RX_IRQ] = link_rx,
    [16 + LINK_TX_IRQ] = link_tx,
    [16 + SAMPLES_RX_IRQ] = samples_rx,
};

uint32_t rw_cortex_clock_ms(void)
{
    return COUNTER;
}

static uint32_t now_ms(void *context)
{
    (void)context;
    return rw_cortex_now_ms();
}

static void sleep(void *context, uint32_t ms)
{
    (void)context;
    rw_cortex_sleep(ms);
}

static void sample(void *context, const struct rw_sink *sink)
{
    (void)context;
    samples.sink = sink;
    UART_BAUDDIV(SAMPLES) = SMALLEST_BAUDDIV;
    UART_CTRL(SAMPLES) = CTRL_TX_RX | CTRL_RX_INTERRUPT;
    rw_irq_enable(SAMPLES_RX_IRQ);
}

static void resume(void *context)
{
    (void)context;
    rw_irq_disable(SAMPLES_RX_IRQ);
    if (samples.sink == NULL || !rw_sample_port_resume(&samples)) {
        return;
    }
    if (UART_STATE(SAMPLES) & STATE_RX_FULL) { /* its interrupt was taken while the port held */
        samples_rx();
    }
    if (!samples.held) {
        rw_irq_enable(SAMPLES_RX_IRQ);
    }
}

static size_t receive(void *context, uint8_t *to, size_t n)
{
    (void)context;
    const size_t taken = rw_ring_read(&received, to, n);
    if (taken != 0) {
        rw_irq_enable(LINK_RX_IRQ);
    }
    return taken;
}

static size_t send(void *context, const uint8_t *from, size_t n)
{
    (void)context;
    const size_t taken = rw_ring_write(&to_send, from, n);
    rw_irq_disable(LINK_TX_IRQ);
    if (!sending) {
        link_tx();
    }
    rw_irq_enable(LINK_TX_IRQ);
    return taken;
}

static void kick(void *context)
{
    (void)context;
    WATCHDOG_LOCK = WATCHDOG_UNLOCK; /* what is locked takes no kick either */
    WATCHDOG_INTCLR = 1u;            /* loads it anew */
    WATCHDOG_LOCK = 0;
}

static enum rw_reset reset_reason(void *context)
{
    (void)context;
    return rw_cortex_reset_reason();
}

static bool supply_low(void *context)
{
    (void)context;
    return false;
}

static void reset(void *context)
{
    (void)context;
    rw_cortex_reset(RW_RESET_REQUESTED);
}

static const struct rw_board board = {
    .context = &kept_flash,
    .name = name,
    .flash = {(const uint8_t *)FLASH_PLACE, FLASH_BYTES, 4096u, 8u},
    .now_ms = now_ms,
    .sleep = sleep,
    .sample = sample,
    .resume = resume,
    .receive = receive,
    .send = send,
    .erase = rw_kept_flash_erase,
    .program = rw_kept_flash_program,
    .kick = kick,
    .reset_reason = reset_reason,
    .supply_low = supply_low,
    .reset = reset,
};

int main(void)
{
    COUNTER_PRESCALE = RW_CORTEX_HZ / 1000u - 1u;
    rw_emulated_name(name, "mps2-an386");
    rw_kept_flash_open(&kept_flash);
    UART_BAUDDIV(LINK) = SMALLEST_BAUDDIV;
    UART_CTRL(LINK) = CTRL_TX_RX | CTRL_TX_INTERRUPT | CTRL_RX_INTERRUPT;
    rw_irq_enable(LINK_RX_IRQ);
    rw_irq_enable(LINK_TX_IRQ);
    WATCHDOG_LOCK = WATCHDOG_UNLOCK;
    WATCHDOG_LOAD = RW_CORTEX_HZ / 1000u * WATCHDOG_MS;
    WATCHDOG_CTRL = WATCHDOG_INTERRUPT_AND_RESET;
    WATCHDOG_LOCK = 0;
    return rw_program(&board);
}
