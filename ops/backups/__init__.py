"""Commands that restore dumps of the database, on the operator's machine: only there is the age key."""
