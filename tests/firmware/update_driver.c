/* Runs an update of a node over a simulated flash: command by command, or with power cut at every step.
 *
 * Standard input: a head (struct head), the keys, the ids of the operators that the firmware has, and commands, each a
 * letter with what it needs (all numbers of 32 bits, host order). Answers to standard output.
 *
 *   o                 open: status
 *   b                 boot: status, then where it is (struct place)
 *   B id[16] n        begin an image of n bytes: status, offset
 *   w at n bytes      write: status, received
 *   f                 finish: status
 *   s                 switch: status, place
 *   c                 confirm: status, place
 *   g reason          give up: status, place
 *   F n               the n-th flash step from now on fails
 *   p at n bytes      puts bytes into the flash, past its rules
 *   m n bytes         parses a manifest in memory of exactly n bytes: 1 or 0, then its numbers if 1
 *   i n bytes         checks an image in memory of exactly n bytes: status
 *   L ...             the law, see below
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_simulator.h"
#include "rw_slots.h"

struct head {
    uint32_t unit, sector, slot_bytes, rewritable, erased_byte, unstable;
    uint8_t contract[RW_CONTRACT_BYTES];
    uint32_t memory_bytes, trial_boots, n_keys, n_operators;
};

struct place {
    uint32_t running, version, phase, reason, highest, boots;
};

struct image {
    uint32_t bytes, fate;
    const uint8_t *content;
};

static struct flash_simulator flash;
static struct rw_update_config config;
static struct rw_slots slots;
static uint32_t *operators;
static uint32_t n_operators;
static uint64_t signs_of_life;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(5);
}

static void take(void *to, size_t n)
{
    if (n > 0 && fread(to, 1, n, stdin) != n) {
        fail("the input ended early");
    }
}

static uint32_t word(void)
{
    uint32_t value;
    take(&value, sizeof value);
    return value;
}

static uint8_t *taken(size_t n)
{
    uint8_t *bytes = malloc(n);
    take(bytes, n);
    return bytes;
}

static void answer(uint32_t value)
{
    fwrite(&value, sizeof value, 1, stdout);
}

/* Verifications in the thousands are of few signatures: the linker puts this before the firmware's (--wrap), and each
 * signature, message and key that differ in a byte are verified in full. */
bool __real_rw_ed25519_verify(const uint8_t *key, const uint8_t *message, size_t n, const uint8_t *signature);
bool __wrap_rw_ed25519_verify(const uint8_t *key, const uint8_t *message, size_t n, const uint8_t *signature);

#define REMEMBERED 8u
#define REMEMBERED_BYTES 512u

bool __wrap_rw_ed25519_verify(const uint8_t *key, const uint8_t *message, size_t n, const uint8_t *signature)
{
    static struct {
        uint8_t key[32], signature[64], message[REMEMBERED_BYTES];
        size_t n;
        bool known, good;
    } table[REMEMBERED], *entry;
    static size_t next;
    if (n > REMEMBERED_BYTES) {
        return __real_rw_ed25519_verify(key, message, n, signature);
    }
    for (size_t i = 0; i < REMEMBERED; ++i) {
        entry = &table[i];
        if (entry->known && entry->n == n && memcmp(entry->message, message, n) == 0 &&
            memcmp(entry->key, key, 32) == 0 && memcmp(entry->signature, signature, 64) == 0) {
            return entry->good;
        }
    }
    entry = &table[next++ % REMEMBERED];
    memcpy(entry->key, key, 32);
    memcpy(entry->signature, signature, 64);
    memcpy(entry->message, message, n);
    entry->n = n;
    entry->known = true;
    entry->good = __real_rw_ed25519_verify(key, message, n, signature);
    return entry->good;
}

static bool has_operator(void *context, uint32_t id)
{
    (void)context;
    for (uint32_t i = 0; i < n_operators; ++i) {
        if (operators[i] == id) {
            return true;
        }
    }
    return false;
}

/* The toy of a model: adds its first byte to each input. */
static bool gives_golden(void *context, const struct rw_image *image)
{
    (void)context;
    const struct rw_manifest *m = &image->manifest;
    for (size_t i = 0; i < m->golden_output_bytes; ++i) {
        if (i >= m->golden_input_bytes ||
            m->golden_output[i] != (uint8_t)(m->golden_input[i] + image->model[0])) {
            return false;
        }
    }
    return true;
}

static void alive(void *context)
{
    (void)context;
    ++signs_of_life;
}

static void tell_place(const struct rw_image *image)
{
    const struct place place = {slots.running,
                                image->model == NULL ? 0 : image->manifest.version,
                                slots.state.phase,
                                slots.state.reason,
                                slots.state.highest_version,
                                slots.state.boots};
    fwrite(&place, sizeof place, 1, stdout);
}

static void parse(void)
{
    const uint32_t n = word();
    uint8_t *bytes = taken(n);
    struct rw_manifest m;
    const bool good = rw_manifest_parse(&m, bytes, n);
    answer(good);
    if (good) {
        const uint32_t numbers[] = {m.version,
                                    m.model_bytes,
                                    m.memory_bytes,
                                    (uint32_t)m.n_operators,
                                    m.n_operators > 0 ? m.operators[m.n_operators - 1] : 0,
                                    (uint32_t)m.golden_input_bytes,
                                    (uint32_t)m.golden_output_bytes,
                                    (uint32_t)m.name_bytes};
        fwrite(numbers, sizeof numbers, 1, stdout);
        fwrite(m.contract, RW_CONTRACT_BYTES, 1, stdout);
        fwrite(m.digest, 64, 1, stdout);
    }
    free(bytes);
}

static void check_image(void)
{
    const uint32_t n = word();
    uint8_t *bytes = taken(n);
    struct rw_image image;
    size_t size;
    answer((uint32_t)rw_image_check(&image, &size, bytes, n, &config));
    free(bytes);
}

/* ---- The law: whatever step power is cut at, the node has the old model or the new one, whole, and can go on. ---- */

/* What becomes of an image: kept, never confirmed, cut off by the sender in mid-transfer, given up on trial. */
enum fate { KEPT, UNCONFIRMED, LEFT_OFF, GIVEN_UP, REFUSED };

#define PIECE_BYTES 50u

static jmp_buf off;
static const struct image *confirmed; /* the newest that rw_slots_confirm was called for with success */
static const struct image *coming;    /* the one that is sent */
static const struct image *all_images;
static uint32_t n_images;

static void stop(void)
{
    longjmp(off, 1);
}

static bool is_whole(const struct rw_image *image, const struct image *wanted)
{
    const size_t at = wanted->bytes - image->manifest.model_bytes;
    return image->model != NULL && image->manifest.model_bytes < wanted->bytes &&
           memcmp(image->model, wanted->content + at, image->manifest.model_bytes) == 0;
}

/* A model runs that may, and its bytes are all there. */
static void check_law(enum rw_update_status status, const struct rw_image *image, const struct image *was_coming)
{
    if (confirmed == NULL && image->model == NULL && status != RW_UPDATE_OK) {
        return;
    }
    if (status != RW_UPDATE_OK || image->model == NULL) {
        fail("there is no model, though one was confirmed");
    }
    if (confirmed != NULL && is_whole(image, confirmed)) {
        return;
    }
    if (was_coming == NULL || !is_whole(image, was_coming)) {
        fail("the model is neither the old one nor the new one");
    }
    if (slots.state.phase != RW_PHASE_TRIAL && slots.state.phase != RW_PHASE_CONFIRMED) {
        fail("the new model runs and is neither on trial nor confirmed");
    }
    if (was_coming->fate == REFUSED) {
        fail("a model runs that is to be refused");
    }
}

static void start(struct rw_image *image)
{
    memset(&slots, 0xA5, sizeof slots);
    flash_simulator_start(&flash);
    if (rw_slots_open(&slots, &flash.flash, &config) != RW_UPDATE_OK) {
        fail("the slots do not open");
    }
    const enum rw_update_status status = rw_slots_boot(&slots, image);
    check_law(status, image, coming);
    if (slots.state.phase == RW_PHASE_CONFIRMED && coming != NULL && coming->fate == KEPT && is_whole(image, coming)) {
        confirmed = coming; /* the cut came behind the record */
    }
}

/* From wherever power left the image. */
static void send(const struct image *image, uint32_t upto)
{
    uint8_t id[RW_IMAGE_ID_BYTES];
    uint32_t at = 0;
    memset(id, (int)(image - all_images), sizeof id);
    enum rw_update_status status = rw_slots_begin(&slots, id, image->bytes, &at);
    while (status == RW_UPDATE_OK && at < upto) {
        const uint32_t n = upto - at < PIECE_BYTES ? upto - at : PIECE_BYTES;
        status = rw_slots_write(&slots, at, image->content + at, n);
        at += n;
    }
    if (status == RW_UPDATE_OK && upto == image->bytes) {
        status = rw_slots_finish(&slots);
    }
    if (image->fate == REFUSED ? status != slots.state.reason && status != RW_UPDATE_VERSION : status != RW_UPDATE_OK) {
        fprintf(stderr, "%s\n", rw_update_words(status));
        fail("an image was not taken");
    }
}

static void try_out(const struct image *image)
{
    struct rw_image running = {.model = NULL};
    const enum rw_update_status status = rw_slots_switch(&slots, &running);
    if (image->fate == REFUSED) {
        check_law(running.model == NULL ? RW_UPDATE_NO_MODEL : RW_UPDATE_OK, &running, NULL);
        return;
    }
    if (status != RW_UPDATE_OK || !is_whole(&running, image)) {
        fail("a whole image does not run");
    }
}

/* One image to its end, whatever of it was done before a cut. */
static void bring(const struct image *image)
{
    struct rw_image running = {.model = NULL};
    coming = image;
    if (image->fate == LEFT_OFF) {
        if (slots.state.phase == RW_PHASE_TRIAL) {
            fail("an image is on trial of which only a part was sent");
        }
        send(image, image->bytes / 2);
        start(&running);
        return;
    }
    if (confirmed == image) {
        return;
    }
    if (slots.state.phase != RW_PHASE_TRIAL) {
        send(image, image->bytes);
        try_out(image);
    }
    if (image->fate == KEPT) {
        if (rw_slots_confirm(&slots) != RW_UPDATE_OK) {
            fail("a model on trial is not confirmed");
        }
        confirmed = image;
    } else if (image->fate == UNCONFIRMED) {
        for (uint32_t i = 0; i <= config.trial_boots; ++i) {
            start(&running);
        }
    } else if (image->fate == GIVEN_UP) {
        (void)rw_slots_give_up(&slots, RW_UPDATE_UNHEALTHY, &running);
    }
    if (image->fate != KEPT && slots.state.phase != RW_PHASE_EMPTY) {
        fail("a model that was given up is still there");
    }
}

/* All images in turn; done: the first that is not at its end. */
static void bring_all(volatile uint32_t *done)
{
    while (*done < n_images) {
        bring(&all_images[*done]);
        *done += 1;
    }
    coming = NULL;
}

static void fresh(void)
{
    flash_simulator_clear(&flash);
    confirmed = coming = NULL;
}

/* Power is cut at step `first`, and again `second` steps behind; then all is brought to its end. */
static void live_through(uint64_t first, uint64_t second)
{
    static volatile uint32_t done;
    static volatile int cuts;
    struct rw_image image;
    fresh();
    done = 0;
    cuts = 0;
    flash.cut_at = first;
    if (setjmp(off) != 0) {
        cuts += 1;
        flash.cut_at = cuts == 1 && second != SIMULATOR_NO_CUT ? flash.steps + second : SIMULATOR_NO_CUT;
    }
    start(&image);
    bring_all(&done);
    flash.cut_at = SIMULATOR_NO_CUT;
    start(&image);
    if (confirmed == NULL ? image.model != NULL : !is_whole(&image, confirmed)) {
        fail("the last model that was confirmed does not run at the end");
    }
}

/* n images with fate, bytes, content; every how many-th pair of cuts (0: single ones only), seeds. Answers the
 * number of steps and of runs. */
static void prove_law(void)
{
    n_images = word();
    struct image *images = calloc(n_images, sizeof *images);
    for (uint32_t i = 0; i < n_images; ++i) {
        images[i].fate = word();
        images[i].bytes = word();
        images[i].content = taken(images[i].bytes);
    }
    const uint32_t every = word(), seeds = word();
    all_images = images;
    flash.stop = stop;
    live_through(SIMULATOR_NO_CUT, SIMULATOR_NO_CUT);
    const uint64_t steps = flash.steps;
    uint32_t runs = 0;
    for (uint64_t i = 0; i < steps; ++i) {
        for (uint32_t seed = 0; seed < seeds; ++seed, ++runs) {
            flash.random = UINT64_C(0x9E3779B97F4A7C15) * (i * seeds + seed + 1u);
            live_through(i, every == 0 ? SIMULATOR_NO_CUT : (i * 7u + seed * 13u) % every);
        }
    }
    answer((uint32_t)steps);
    answer(runs);
    for (uint32_t i = 0; i < n_images; ++i) {
        free((void *)(uintptr_t)images[i].content);
    }
    free(images);
}

static void put_bytes(void)
{
    const uint32_t at = word(), n = word();
    if (at > flash.size || n > flash.size - at) {
        fail("these bytes lie outside the flash");
    }
    take(flash.bytes + at, n);
}

static void obey(int letter)
{
    struct rw_image image = {.model = NULL};
    uint8_t id[RW_IMAGE_ID_BYTES], *bytes;
    uint32_t at = 0, n;
    switch (letter) {
    case 'o':
        answer((uint32_t)rw_slots_open(&slots, &flash.flash, &config));
        break;
    case 'b':
        answer((uint32_t)rw_slots_boot(&slots, &image));
        tell_place(&image);
        break;
    case 'B':
        take(id, sizeof id);
        answer((uint32_t)rw_slots_begin(&slots, id, word(), &at));
        answer(at);
        break;
    case 'w':
        at = word();
        n = word();
        bytes = taken(n);
        answer((uint32_t)rw_slots_write(&slots, at, bytes, n));
        answer(rw_slots_received(&slots));
        free(bytes);
        break;
    case 'f':
        answer((uint32_t)rw_slots_finish(&slots));
        break;
    case 's':
        answer((uint32_t)rw_slots_switch(&slots, &image));
        tell_place(&image);
        break;
    case 'c':
        answer((uint32_t)rw_slots_confirm(&slots));
        tell_place(&image);
        break;
    case 'g':
        answer((uint32_t)rw_slots_give_up(&slots, (enum rw_update_status)word(), &image));
        tell_place(&image);
        break;
    case 'F':
        flash.fails_at = flash.steps + word();
        break;
    case 'p':
        put_bytes();
        break;
    case 'm':
        parse();
        break;
    case 'i':
        check_image();
        break;
    case 'L':
        prove_law();
        break;
    default:
        fail("no such command");
    }
}

int main(void)
{
    struct head head;
    take(&head, sizeof head);
    uint8_t(*keys)[32] = (uint8_t(*)[32])taken(32u * head.n_keys);
    n_operators = head.n_operators;
    operators = (uint32_t *)(void *)taken(4u * n_operators);
    flash_simulator_make(&flash, head.unit, head.sector, head.slot_bytes, head.rewritable != 0,
                         (uint8_t)head.erased_byte);
    flash.unstable = head.unstable != 0;
    config = (struct rw_update_config){.keys = (const uint8_t(*)[32])keys,
                                       .n_keys = head.n_keys,
                                       .memory_bytes = head.memory_bytes,
                                       .trial_boots = (uint8_t)head.trial_boots,
                                       .has_operator = has_operator,
                                       .gives_golden = gives_golden,
                                       .alive = alive};
    memcpy(config.contract, head.contract, sizeof config.contract);
    for (int letter = getchar(); letter != EOF; letter = getchar()) {
        obey(letter);
    }
    flash_simulator_free(&flash);
    free(keys);
    free(operators);
    return 0;
}
