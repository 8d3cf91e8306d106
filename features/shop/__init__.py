"""One shop's data layer as a whole: its workspace, its parts, its features kept ready."""
