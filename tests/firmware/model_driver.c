/* Reads cases from standard input until it ends, and writes for each what the loader of packed models says of it.
 *
 * A case is a letter, three 32-bit words n, a, b (host order) and n bytes of model. 'r': a inputs of b bytes follow;
 * answered by the status, the memory it wants, and where the status is 0 by what it says of itself and the outputs.
 * 'm': the model is changed at random a times from seed b, opened and, where it opens, run; answered by how often each
 * status came. 'l': answered by what is lacking, the memory it wants, and the status without any memory. Everything lies
 * in memory of exactly its size, so that a sanitiser sees any byte beyond. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rw_model.h"
#include "rw_model_parts.h"

#define STATUSES 12u

static void *taken(size_t n)
{
    void *bytes = malloc(n);
    if (n > 0 && (bytes == NULL || fread(bytes, 1, n, stdin) != n)) {
        exit(3);
    }
    return bytes;
}

static uint32_t word(void)
{
    uint32_t value = 0;
    if (fread(&value, sizeof value, 1, stdin) != 1) {
        exit(3);
    }
    return value;
}

static void say(const void *value, size_t n)
{
    fwrite(value, 1, n, stdout);
}

static void say_word(uint32_t value)
{
    say(&value, sizeof value);
}

static void run_items(const struct rw_model *model, uint32_t items, uint32_t bytes)
{
    const struct rw_model_end *in = rw_model_input_end(model), *out = rw_model_output_end(model);
    const uint32_t *ids;
    const size_t n_needs = rw_model_needs(model, &ids);
    void *arena = malloc(rw_model_arena_bytes(model));

    say_word((uint32_t)rw_model_arena_bytes(model));
    say(in, sizeof *in);
    say(out, sizeof *out);
    say_word((uint32_t)n_needs);
    say(ids, n_needs * sizeof *ids);
    if (items > 0 && bytes != in->bytes) {
        exit(4);
    }
    for (uint32_t i = 0; i < items; ++i) {
        void *input = taken(bytes);
        memset(arena, (int)(0xA5u + i) & 0xFF, rw_model_arena_bytes(model));
        memcpy(rw_model_input(model, arena), input, bytes);
        rw_model_run(model, arena);
        say(rw_model_output(model, arena), out->bytes);
        uint8_t *output = malloc(out->bytes);
        memcpy(output, rw_model_output(model, arena), out->bytes);
        /* Its own golden window, and what is not: another output, another size. */
        const bool right = rw_model_gives(model, arena, input, bytes, output, out->bytes);
        output[out->bytes - 1] ^= 1u;
        if (!right || rw_model_gives(model, arena, input, bytes, output, out->bytes) ||
            rw_model_gives(model, arena, input, bytes - 1, output, out->bytes)) {
            exit(5);
        }
        free(output);
        free(input);
    }
    free(arena);
}

static void run_case(void *blob, size_t n, uint32_t items, uint32_t bytes)
{
    const size_t memory_bytes = rw_model_memory_bytes(blob, n);
    void *memory = malloc(memory_bytes);
    struct rw_model *model = NULL;
    const enum rw_model_status status = rw_model_open(blob, n, memory, memory_bytes, &model);

    say_word((uint32_t)status);
    say_word((uint32_t)memory_bytes);
    if (status == RW_MODEL_OK) {
        run_items(model, items, bytes);
    } else {
        free(taken((size_t)items * bytes));
    }
    free(memory);
}

static uint32_t drawn(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static uint32_t read_word(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* An offset that means something: into the header, the calls, a record or its bands, and now and then anywhere. */
static size_t place_of(const uint8_t *blob, size_t n, uint32_t *state)
{
    const struct rw_model_header *header = (const void *)blob;
    const uint32_t kind = drawn(state) % 8u;
    size_t at = drawn(state) % n;
    if (kind == 0) {
        at = drawn(state) % sizeof *header;
    } else if (header->n_steps > 0 && header->n_steps < 100 && header->steps % 4u == 0 && header->steps < n &&
               header->steps + 2900u < n) {
        const struct rw_model_call *call = (const void *)(blob + header->steps);
        call += drawn(state) % header->n_steps;
        at = (size_t)((const uint8_t *)call - blob) + drawn(state) % sizeof *call;
        if (kind > 2 && call->arguments[0] < n && call->arguments[0] + 56u < n) {
            const uint32_t bands = read_word(blob + call->arguments[0]);
            at = call->arguments[0] + drawn(state) % 56u;
            if (kind > 4 && call->bands > 0 && call->bands < 8 && bands < n && bands + 256u < n) {
                at = bands + drawn(state) % (32u * call->bands);
            }
        }
    } else if (kind < 6) {
        at = drawn(state) % (n < 256 ? n : 256);
    }
    return at;
}

static uint32_t telling(uint32_t old, uint32_t *state)
{
    static const uint32_t values[] = {0,      1,      2,      3,      4,       5,        7,          8,
                                      16,     0x7F,   0x80,   0xFF,   0x100,   0x7FFF,   0x8000,     0xFFFE,
                                      0xFFFF, 0x10000, 1u << 23, 0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0x80000001,
                                      0xFFFFFFFF};
    const uint32_t kind = drawn(state) % 4u;
    if (kind == 0) {
        return values[drawn(state) % (sizeof values / sizeof values[0])];
    }
    if (kind == 1) {
        return old + drawn(state) % 17u - 8u;
    }
    return kind == 2 ? old ^ 1u << drawn(state) % 32u : drawn(state);
}

static void change(uint8_t *blob, size_t n, uint32_t *state)
{
    static const size_t widths[] = {1, 2, 4, 4};
    const size_t width = widths[drawn(state) % 4u];
    size_t at = place_of(blob, n, state) / width * width;
    uint32_t value = 0;
    if (at + width <= n) {
        memcpy(&value, blob + at, width);
        value = telling(value, state);
        memcpy(blob + at, &value, width);
    }
}

static enum rw_model_status try_changed(const uint8_t *blob, size_t n, uint32_t *state)
{
    const size_t kept = drawn(state) % 16u == 0 ? 72u + drawn(state) % (n - 71u) : n;
    uint8_t *changed = malloc(kept);
    memcpy(changed, blob, kept);
    for (uint32_t changes = 1 + drawn(state) % 3u; changes > 0; --changes) {
        change(changed, kept, state);
    }
    if (drawn(state) % 16u != 0) {
        const uint32_t head[] = {RW_MODEL_MAGIC, RW_MODEL_VERSION, (uint32_t)kept};
        memcpy(changed, head, sizeof head);
    }
    const size_t memory_bytes = rw_model_memory_bytes(changed, kept);
    void *memory = malloc(memory_bytes);
    struct rw_model *model = NULL;
    const enum rw_model_status status = rw_model_open(changed, kept, memory, memory_bytes, &model);
    if (status == RW_MODEL_OK) {
        void *arena = malloc(rw_model_arena_bytes(model));
        memset(arena, (int)(drawn(state) & 0xFFu), rw_model_arena_bytes(model));
        rw_model_run(model, arena);
        free(arena);
    }
    free(memory);
    free(changed);
    return status;
}

static void change_case(const uint8_t *blob, size_t n, uint32_t trials, uint32_t seed)
{
    uint32_t counts[STATUSES] = {0}, state = seed | 1u;
    for (uint32_t i = 0; i < trials; ++i) {
        counts[-(int)try_changed(blob, n, &state)]++;
    }
    say(counts, sizeof counts);
}

static void lacking_case(const void *blob, size_t n)
{
    struct rw_model *model = NULL;
    say_word(rw_model_lacking(blob, n));
    say_word((uint32_t)rw_model_memory_bytes(blob, n));
    say_word((uint32_t)rw_model_open(blob, n, NULL, 0, &model));
}

int main(void)
{
    for (int kind = getchar(); kind != EOF; kind = getchar()) {
        const size_t n = word();
        const uint32_t a = word(), b = word();
        void *blob = taken(n);
        if (kind == 'r') {
            run_case(blob, n, a, b);
        } else if (kind == 'm') {
            change_case(blob, n, a, b);
        } else {
            lacking_case(blob, n);
        }
        free(blob);
    }
    return 0;
}
