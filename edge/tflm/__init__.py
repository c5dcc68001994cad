"""A `.tflite` as a folder of C and C++ that runs it with a TFLite Micro library which the user has built."""
