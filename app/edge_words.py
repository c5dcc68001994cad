"""The standing text of `docs/EDGE.md`: how its figures were measured, how to read them, and what they do not say."""

from __future__ import annotations

__all__ = [
    "CURVES",
    "DENSE",
    "DEPLOYED",
    "FORMATS",
    "INTEGRAL",
    "LIMITS",
    "METHOD",
    "NONE_KEEPS",
    "OTHERS",
    "PICKED",
    "PRUNED",
    "SEEDS",
    "TITLE",
]

TITLE = """# What networks cost on the node

Rendered from `docs/results/edge.json`. `raceway edge run MODEL.tflite` gives the same figures for any model."""

METHOD = """## How it was measured

Each network was trained, turned into an int8 `.tflite`, compiled to C and built with `arm-none-eabi-gcc -O2` for a
Cortex-M4 with FPU. It then ran in QEMU (`mps2-an386`). No silicon was measured.

- Instructions are exact: a plugin counts each one that the emulator executes. The figure is of the inference that
  executes most.
- Cycles are modelled from the instructions that were executed, with the weights in `edge/emulator/cycles.py`: they
  follow Arm's manual for memory without wait states.
- Flash is code, constants and initial values of the library, with the pieces of libc that it pulls in. Board and test
  harness are left out. "Model" is the part of it that holds weights, indices, biases and multipliers.
- RAM is the arena and the variables. The stack is what an inference wrote to below its caller's.
- Equal vectors: how many of the vectors gave the same bytes as the TFLite Micro interpreter.
- The peer: {peer}. Its RAM is its arena."""

DENSE = """## Dense models beside TFLite Micro with CMSIS-NN

No weight is taken out here. The first metric is of the int8 model, the second of the same network in floats."""

PRUNED = """## Pruned models beside TFLite Micro with CMSIS-NN

Factors and savings are against the peer's dense model. A pruned model may be 0.5 points worse than the dense one in
floats, or 2 % where the metric is an error. Below zero it is better."""

PICKED = (
    "The rows of {models} are the cheapest that keep the metric, picked after the test figures were known, which "
    "flatters them; the curves below have every row."
)
OTHERS = (
    "Of {model}, {variants} meet all three on the test part; the row above was chosen by the validation part, which "
    "knows nothing of that."
)
SEEDS = """The row that stands for a network is the cheapest that keeps the metric on the validation part, from the
first seed and in the mean over all. Each seed trains a dense network of its own and prunes that. Cheaper rows that
were tried and lost too much in the mean are here too."""
NONE_KEEPS = "No pruned row of {models} keeps the metric; the curves below show what each loses."

CURVES = """## The curves

A block of RxC is R outputs by C inputs whose weights are zero together. "Mixed" is a shape chosen for each layer. All
metrics are of int8 models, on the part that nothing was chosen on."""

INTEGRAL = """## Integral Pruning

Integral Pruning takes out weights first and then activations: only those above a threshold of their layer count. The
paper reports 71.1 to 96.35 % of the computation saved, on its own networks and data. "Computation saved" counts the
multiplications in which the weight or the activation is zero. "With ReLU's own zeros" is the network whose weights
alone were pruned: its activations have zeros anyway. What may be lost was judged on the validation part, against the
better of the dense network and the one with pruned weights. Metrics are of the networks in floats, on the test part.

The node gains the weights' part of it and nothing of the activations': its kernels skip blocks of weights, but multiply
by every activation, zero or not. A kernel could ask, for each block that is kept, whether its four activations are all
zero; "blocks with no activation" is the share that it would skip. By the weights of `edge/emulator/cycles.py` a 4x4
block takes 27 cycles, of which 20 would be saved, and asking (two comparisons and a branch) takes 3 for every block:
below a share of 15 % it loses, and at 30 % it gains a tenth of the inner loops. Single zeros, which are most of what is
counted as saved, cannot be skipped where two products are one instruction."""

DEPLOYED = """## The models that the system deploys

Trained as the service trains them, and held to the limits of `edge/budget.toml`."""

FORMATS = """## How the formats work

- The inputs of a layer are expanded once to lanes of 16 bits, four inputs to two words. The weights stay bytes, four to
  a word. Two multiply-accumulate instructions and one extraction then do four multiplications.
- Dense: rows are taken four at a time, so that inputs that were loaded once serve four outputs.
- Sparse: a tile is 1, 2 or 4 rows. For each tile and kernel row a byte says how many groups of four inputs are kept.
  For each kept group a byte says how many groups further it lies, and each row has a word of weights. Groups of zeros
  take neither flash nor time. More rows to a tile share the index and the loading of inputs, but their zeros have to
  coincide.
- The compiler picks the form layer by layer, from the zeros that it finds and a table of cycles. Nothing but the
  `.tflite` tells it what was pruned.
- The zero point of the inputs is folded into the bias. Rows whose output no input changes are kept as constants.
- A convolution expands each row of inputs once and reads its windows out of it. Only where a window may begin within a
  group of four is each window expanded for itself. A maximum pooling behind it is taken of the sums, before they are
  scaled to bytes: scaling keeps the order, so the result is the same.

The loops stand in `edge/runtime/rw_product.h`, in plain C and in assembly for the M4; `edge/runtime/rw_convolve.h` says
how a layer is walked. Tiles with a row whose sums could leave 24 bits, or with a weight of -128, are computed in 32
bits by `edge/runtime/rw_exact.h`, which is slower; dilated convolutions by a plain kernel, which is slower still."""

LIMITS = """## What the figures do not say

- A board with flash wait states takes more cycles than modelled, for either runtime.
- The peer's networks were untrained. M1 and M2 are of the same shapes; of the peer's M3 only the sizes are on record,
  and ours is a network with a `.tflite` no smaller than that (18.7 KB beside 18.2).
- Pruned networks were trained for longer than the dense one they came from, M2 and M3 on its answers too: where one is
  better than dense, that is no merit of the zeros.
- Costs and curves are of one seed, and the test parts have 1,212, 2,362 and 100 items: rows that differ by half a point
  or by 2 % are not told apart.
- Depthwise convolutions are not pruned in blocks.
- A single group of zeros saves less than its share: the index of what is kept and the scaling of each output remain.
  At high sparsity the scaling is most of the time.
- The metrics are of the data named above. How much a network may be pruned is a matter of its task."""
