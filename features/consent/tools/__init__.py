"""What consent tools tell, read in each tool's own form and said as consent events."""
