"""A folder that looks like TFLite Micro's source with its library built: exports are compiled against it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from edge.tflm.operators import OPERATORS, method_of

__all__ = ["stand_in"]

# What the shim uses of TFLite Micro, so far as a compiler must see it; its output is the start of its input.
_HEADERS = {
    "tensorflow/lite/schema/schema_generated.h": """
        #pragma once
        namespace tflite {
        struct Model {};
        inline const Model *GetModel(const void *data) { return static_cast<const Model *>(data); }
        }
    """,
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": """
        #pragma once
        #ifndef TF_LITE_STATIC_MEMORY
        #error the tensors would be of another layout
        #endif
        enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
        namespace tflite {
        struct MicroOpResolver {};
        template <unsigned int capacity>
        struct MicroMutableOpResolver : MicroOpResolver {
            unsigned int taken = 0;
            TfLiteStatus Add() { return taken++ < capacity ? kTfLiteOk : kTfLiteError; }
            METHODS
        };
        }
    """,
    "tensorflow/lite/micro/micro_interpreter.h": """
        #pragma once
        #include <cstddef>
        #include <cstdint>
        #include <cstring>
        #include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
        #include "tensorflow/lite/schema/schema_generated.h"
        struct TfLiteTensor { struct { char *raw; } data; size_t bytes; };
        namespace tflite {
        class MicroInterpreter {
         public:
            MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *arena, size_t bytes)
                : bytes_(bytes), ends_{{{reinterpret_cast<char *>(arena)}, INPUT},
                                       {{reinterpret_cast<char *>(arena) + INPUT}, OUTPUT}} {}
            TfLiteStatus AllocateTensors() { return bytes_ >= INPUT + OUTPUT ? kTfLiteOk : kTfLiteError; }
            TfLiteTensor *input(size_t) { return &ends_[0]; }
            TfLiteTensor *output(size_t) { return &ends_[1]; }
            TfLiteStatus Invoke() {
                std::memcpy(ends_[1].data.raw, ends_[0].data.raw, OUTPUT);
                return ends_[0].data.raw[INPUT - 1] == 77 ? kTfLiteError : kTfLiteOk;
            }
         private:
            size_t bytes_;
            TfLiteTensor ends_[2];
        };
        }
    """,
}


def stand_in(root: Path, *, input_bytes: int = 40, output_bytes: int = 8) -> Path:
    """Make the folder; every network's output is the start of its input, and an input that ends in 77 fails."""
    methods = "\n".join(f"TfLiteStatus {method_of(name)}() {{ return Add(); }}" for name in sorted(OPERATORS))
    words = {"METHODS": methods, "INPUT": str(input_bytes), "OUTPUT": str(output_bytes)}
    for path, text in _HEADERS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(re.sub(r"\b(METHODS|INPUT|OUTPUT)\b", lambda found: words[found[1]], text))
    library = root / "gen/linux_x86_64_default_gcc/lib"
    library.mkdir(parents=True)
    (root / "nothing.c").write_text("int rw_stand_in;\n")
    for command in (
        ["gcc", "-c", "nothing.c", "-o", "nothing.o"],
        ["ar", "rcs", str(library / "libtensorflow-microlite.a"), "nothing.o"],
    ):
        subprocess.run(command, cwd=root, check=True, capture_output=True)
    return root
