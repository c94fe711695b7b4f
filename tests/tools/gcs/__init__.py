"""A server of Google's buckets for tests: fake-gcs-server (BSD), built with Go, and before it `main.go`.

obstore uploads by Google's XML API, which fake-gcs-server only reads by; `main.go` translates.
"""
