"""Published next-basket methods, each as its paper has it, to be measured beside the next-purchase model."""
