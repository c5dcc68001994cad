"""The public data sets Raceway is measured on, with their labels and their traps."""
