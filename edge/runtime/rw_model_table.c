/* The kernels that this firmware runs of packed models, and the forms of the product: a function of each. */
#include "rw_model_has.h"
#include "rw_model_parts.h"

#if RW_MODEL_EXACT
#include "rw_exact.h"
#endif

#define RW_MODEL_DECLARED(kernel) extern const struct rw_model_kernel rw_model_##kernel;
RW_MODEL_KERNELS(RW_MODEL_DECLARED)

#define RW_MODEL_ADDRESS(kernel) &rw_model_##kernel,
static const struct rw_model_kernel *const rw_kernels[] = {RW_MODEL_KERNELS(RW_MODEL_ADDRESS)};

#define RW_MODEL_FORM_FUNCTION(rows, sparse, pooled, one_segment, per_row, clamped)                                    \
    RW_KERNEL static void rw_form_##rows##sparse##pooled##one_segment##per_row##clamped(                               \
        const struct rw_band *band, const struct rw_window *window, int8_t *out)                                       \
    {                                                                                                                  \
        rw_tiles(band, window, out, (struct rw_form){rows, sparse, pooled, one_segment, per_row, clamped});            \
    }
RW_MODEL_FORMS(RW_MODEL_FORM_FUNCTION)

struct rw_model_form {
    uint32_t id;
    rw_band_run run;
};

#define RW_MODEL_FORM_ENTRY(rows, sparse, pooled, one_segment, per_row, clamped)                                       \
    {RW_MODEL_FORM_ID(rows, sparse, pooled, one_segment, per_row, clamped),                                            \
     rw_form_##rows##sparse##pooled##one_segment##per_row##clamped},
static const struct rw_model_form rw_forms[] = {
    RW_MODEL_FORMS(RW_MODEL_FORM_ENTRY)
#if RW_MODEL_EXACT
    {RW_MODEL_ID_EXACT, rw_exact},
#endif
};

const struct rw_model_kernel *rw_model_kernel_of(uint32_t id)
{
    for (size_t i = 0; i < sizeof rw_kernels / sizeof rw_kernels[0]; ++i) {
        if (rw_kernels[i]->id == id) {
            return rw_kernels[i];
        }
    }
    return NULL;
}

rw_band_run rw_model_form_of(uint32_t id)
{
    for (size_t i = 0; i < sizeof rw_forms / sizeof rw_forms[0]; ++i) {
        if (rw_forms[i].id == id) {
            return rw_forms[i].run;
        }
    }
    return NULL;
}
