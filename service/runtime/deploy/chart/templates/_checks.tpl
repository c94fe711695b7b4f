{{- /* Ends with a sentence if the values cannot work together. */ -}}
{{- define "tapedeck.checks" -}}
{{- $hosts := or .Values.hostSecret (gt (int .Values.replicas) 1) -}}
{{- $workers := gt (int .Values.workers.replicas) 0 -}}
{{- $publishers := gt (int .Values.publishers.replicas) 0 -}}
{{- range $name, $_ := .Values.secrets }}
{{- if or (hasKey $.Values.settings $name) (hasKey $.Values.workers.settings $name) }}
{{- fail (printf "%s is in settings and in secrets: only one of them can hold." $name) }}
{{- end }}
{{- end }}
{{- if and $hosts (not .Values.hostSecret) }}
{{- fail "replicas above 1 needs hostSecret: a Secret with the signing.key, webhooks.key and answers.key that all hosts have." }}
{{- end }}
{{- if and .Values.hostTls.secret (not .Values.hostSecret) }}
{{- fail "hostTls.secret needs hostSecret: without it the service has one host, which speaks with no other." }}
{{- end }}
{{- if and .Values.hostTls.trustOnly (not .Values.hostTls.secret) }}
{{- fail "hostTls.trustOnly needs hostTls.secret: a Secret with the authority that hosts are to trust." }}
{{- end }}
{{- if and (or $hosts $workers $publishers) (not .Values.secrets.TAPEDECK_DATABASE_URL) }}
{{- fail "hostSecret, workers and publishers need secrets.TAPEDECK_DATABASE_URL: the event log in PostgreSQL, which every pod reaches." }}
{{- end }}
{{- $bucket := regexMatch "^(s3|gs|az)://" (.Values.settings.TAPEDECK_BLOB_URL | default "") }}
{{- if and (or $hosts $workers) (not $bucket) (not .Values.secrets.TAPEDECK_BLOB_URL) }}
{{- fail "hostSecret and workers need settings.TAPEDECK_BLOB_URL with s3://…, gs://… or az://…: the blobs in a bucket, which every pod reaches." }}
{{- end }}
{{- range tuple "TAPEDECK_REQUESTS_PER_MINUTE" "TAPEDECK_DEVELOPMENT" }}
{{- if and $hosts (get $.Values.settings .) }}
{{- fail (printf "%s cannot be combined with hostSecret: it is for a service with one host." .) }}
{{- end }}
{{- end }}
{{- $kafka := .Values.settings.TAPEDECK_KAFKA_BOOTSTRAP_SERVERS | default .Values.secrets.TAPEDECK_KAFKA_BOOTSTRAP_SERVERS }}
{{- if and $publishers (not $kafka) }}
{{- fail "publishers need settings.TAPEDECK_KAFKA_BOOTSTRAP_SERVERS: where Kafka is." }}
{{- end }}
{{- end -}}
