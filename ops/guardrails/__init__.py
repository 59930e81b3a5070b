"""`preview` and `up`, whose plans are checked against the guard rails first."""
