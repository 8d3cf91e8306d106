"""The proof that no acknowledged withdrawal, refusal or opt-out is lost."""
