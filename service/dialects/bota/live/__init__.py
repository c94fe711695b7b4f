"""What is heard of a recording while it is being made and recognized (D): GET /v1/recordings/{id}/live."""
