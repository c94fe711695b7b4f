"""What Dorsum is called in the log, and the scope that its keys need."""

DIALECT = "dorsum"
SCOPE = "consultations:write"
