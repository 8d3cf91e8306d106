"""Off means off now: withdrawals and opt-outs race against answers that are being made."""
