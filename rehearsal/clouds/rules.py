"""Rules of the vendors that the program does not follow yet. They are tested, and one constant enables them."""

STRICT = False
"""Whether a protected server or primary IP refuses deletion, and a name in use refuses a second one."""
