"""Published methods, each as its paper has it and as well as it can be, to be measured beside our
models.
"""
