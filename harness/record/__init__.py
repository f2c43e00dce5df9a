"""What a run leaves behind: rows, facts and evidence, written as it goes and read back by every report."""
