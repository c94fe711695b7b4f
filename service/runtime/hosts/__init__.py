"""One service on several hosts: one leads, the others take chunks, hand over the rest, and stand by."""
