"""`adopt`: takes over resources that exist already, without changing them."""
