"""Dragon Copilot's ambient audio API: sessions, chunks as multipart forms, finalize in any order, foreign tokens."""
