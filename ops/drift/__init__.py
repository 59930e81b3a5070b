"""`drift`: compares what is declared with what exists, and changes nothing."""
