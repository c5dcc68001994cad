"""Compilation of an int8 `.tflite` to C11: no interpreter, a static memory plan, weights in flash."""
