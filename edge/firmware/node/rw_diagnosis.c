/* What an abnormal window shows: see the header. Sums of samples and of their squares are exact. */
#include "rw_diagnosis.h"

#include <string.h>

#include "rw_logarithm.h"

void rw_diagnosis_clear(struct rw_diagnosis *diagnosis)
{
    memset(diagnosis, 0, sizeof *diagnosis);
}

/* n squared times the variance fits int64 up to n = 65,536. False where all samples are alike. */
static bool give(const struct rw_network *network, const int16_t *window)
{
    const size_t n = network->input_bytes;
    int64_t sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        sum += window[i];
        squares += (int64_t)window[i] * window[i];
    }
    const int64_t spread = (int64_t)n * squares - sum * sum;
    const float mean = (float)sum / (float)n, deviation = rw_square_root((float)spread) / (float)n;
    for (size_t i = 0; i < n && spread > 0; i++) {
        network->input[i] = rw_quantised(((float)window[i] - mean) / deviation, network->input_as);
    }
    return spread > 0;
}

static struct rw_class leading(const struct rw_diagnosis *diagnosis, size_t classes)
{
    const size_t n = diagnosis->seen < RW_AVERAGED ? diagnosis->seen : RW_AVERAGED;
    struct rw_class most = {-1, 0.0f};

    for (size_t c = 0; c < classes; c++) {
        float sum = 0.0f;
        for (size_t i = 0; i < n; i++) {
            sum += diagnosis->recent[i][c];
        }
        if (most.index < 0 || sum / (float)n > most.probability) {
            most = (struct rw_class){(int32_t)c, sum / (float)n};
        }
    }
    return most;
}

struct rw_class rw_diagnosis_take(struct rw_diagnosis *diagnosis, const struct rw_network *network,
                                  const int16_t *window)
{
    const struct rw_class unknown = {-1, 0.0f};

    if (network == NULL || network->output_bytes > RW_CLASSES_MOST || !give(network, window)) {
        return unknown;
    }
    network->run(network->context);
    float *const own = diagnosis->recent[diagnosis->seen++ % RW_AVERAGED];
    for (size_t c = 0; c < network->output_bytes; c++) {
        own[c] = rw_number(network->output[c], network->output_as);
    }
    return leading(diagnosis, network->output_bytes);
}
