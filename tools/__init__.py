"""The programs a rehearsal runs, each pinned by a Go module of its own, and the script that builds them."""
