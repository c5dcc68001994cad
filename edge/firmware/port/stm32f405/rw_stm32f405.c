/* The STM32F405 as QEMU models it in netduinoplus2: link on USART1, samples on USART2, watchdog and flash as stand-ins.
 *
 * Source: ST, RM0090 (USART, TIM2, vectors). The machine models neither the flash controller nor the independent watchdog, nor
 * clocks and pins: RAM above the first 64 KB, kept in a file, stands in for flash, and the tick for the watchdog; a board
 * of silicon sets up its clock tree and pins before main. The emulated USART sends a byte at once and raises no interrupt
 * for it; the driver sends what the transmitter takes, and its interrupt the rest. The supply is never low.
 */
#include "rw_cortex.h"
#include "rw_kept_flash.h"
#include "rw_ring.h"
#include "rw_sample_port.h"

#define USART_SR(base) RW_REGISTER((base) + 0x00u)
#define USART_DR(base) RW_REGISTER((base) + 0x04u)
#define USART_BRR(base) RW_REGISTER((base) + 0x08u)
#define USART_CR1(base) RW_REGISTER((base) + 0x0Cu)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_TXEIE (1u << 7)
#define CR1_UE (1u << 13)
#define BRR_115200_AT_84_MHZ 0x2D9u

#define TIM2 0x40000000u
#define TIM2_CR1 RW_REGISTER(TIM2 + 0x00u)
#define TIM2_CNT RW_REGISTER(TIM2 + 0x24u)
#define TIM2_PSC RW_REGISTER(TIM2 + 0x28u)
#define TIM2_HZ 1000000000u /* in QEMU; 84 MHz on silicon, whose prescaler then follows */
#define COUNTS_PER_MS 20u   /* the prescaler has 16 bits */

#define WATCHDOG_MS 4000u

#define FLASH_PLACE 0x20010000u
#define FLASH_BYTES 0x20000u

enum { LINK = 0x40011000, LINK_IRQ = 37, SAMPLES = 0x40004400, SAMPLES_IRQ = 38 };

static struct rw_ring received, to_send;
static struct rw_sample_port samples;
static char name[RW_NAME_BYTES];
static struct rw_kept_flash kept_flash = {
    .nor.memory = (uint8_t *)FLASH_PLACE,
    .nor.flash = {(const uint8_t *)FLASH_PLACE, FLASH_BYTES, 4096u, 8u},
};

static void link_tx(void)
{
    uint8_t byte = 0;

    while (USART_SR(LINK) & SR_TXE) {
        if (!rw_ring_take(&to_send, &byte)) {
            USART_CR1(LINK) &= ~CR1_TXEIE;
            return;
        }
        USART_DR(LINK) = byte;
    }
}

static void link_interrupt(void)
{
    if (rw_ring_full(&received)) { /* the byte stays where it is until the loop has made room */
        rw_irq_disable(LINK_IRQ);
    } else if (USART_SR(LINK) & SR_RXNE) {
        (void)rw_ring_put(&received, (uint8_t)USART_DR(LINK));
    }
    if (USART_CR1(LINK) & CR1_TXEIE) {
        link_tx();
    }
    rw_cortex_wake();
}

static void samples_interrupt(void)
{
    if ((USART_SR(SAMPLES) & SR_RXNE) && !rw_sample_port_byte(&samples, (uint8_t)USART_DR(SAMPLES))) {
        rw_irq_disable(SAMPLES_IRQ);
    }
    rw_cortex_wake();
}

void rw_cortex_nmi(void)
{
}

__attribute__((section(".rw_vectors"), used)) static const rw_vector vectors[16 + 82] = {
    RW_CORTEX_VECTORS,
    [16 + LINK_IRQ] = link_interrupt,
    [16 + SAMPLES_IRQ] = samples_interrupt,
};

uint32_t rw_cortex_clock_ms(void)
{
    static uint32_t counted, ms;
    const uint32_t more_ms = (TIM2_CNT - counted) / COUNTS_PER_MS;

    counted += more_ms * COUNTS_PER_MS;
    ms += more_ms;
    return ms;
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
    USART_BRR(SAMPLES) = BRR_115200_AT_84_MHZ;
    USART_CR1(SAMPLES) = CR1_UE | CR1_RE | CR1_RXNEIE;
    rw_irq_enable(SAMPLES_IRQ);
}

static void resume(void *context)
{
    (void)context;
    rw_irq_disable(SAMPLES_IRQ);
    if (samples.sink != NULL && rw_sample_port_resume(&samples)) {
        rw_irq_enable(SAMPLES_IRQ); /* a byte that came meanwhile still asks for it */
    }
}

static size_t receive(void *context, uint8_t *to, size_t n)
{
    (void)context;
    const size_t taken = rw_ring_read(&received, to, n);
    if (taken != 0) {
        rw_irq_enable(LINK_IRQ);
    }
    return taken;
}

static size_t send(void *context, const uint8_t *from, size_t n)
{
    (void)context;
    const size_t taken = rw_ring_write(&to_send, from, n);
    rw_irq_disable(LINK_IRQ);
    USART_CR1(LINK) |= CR1_TXEIE;
    link_tx();
    rw_irq_enable(LINK_IRQ);
    return taken;
}

static void kick(void *context)
{
    (void)context;
    rw_cortex_kick();
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
    TIM2_PSC = TIM2_HZ / 1000u / COUNTS_PER_MS - 1u;
    TIM2_CR1 = 1u;
    TIM2_CNT = 0;
    rw_emulated_name(name, "stm32f405");
    rw_kept_flash_open(&kept_flash);
    USART_BRR(LINK) = BRR_115200_AT_84_MHZ;
    USART_CR1(LINK) = CR1_UE | CR1_RE | CR1_TE | CR1_RXNEIE;
    rw_irq_enable(LINK_IRQ);
    rw_cortex_watchdog(WATCHDOG_MS);
    return rw_program(&board);
}
