"""From a shop's raw tables to features that hold only what each customer granted."""
