"""One module or folder for each model that can be trained; its `TASK` says all about it."""
