"""The `.tflite` file as a graph of tensors and operators."""
