{{- /* What all pods of the service have in common. */ -}}
{{- define "tapedeck.pod" -}}
serviceAccountName: {{ include "tapedeck.name" . }}
automountServiceAccountToken: false
# Else a Service called tapedeck would set TAPEDECK_PORT to an address.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tapedeck.container" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL] }
  readOnlyRootFilesystem: true
{{- end -}}

{{- /* `settings`: what is set beside and before the values' settings. `all`: the chart's own scope. `without`: how the names
       of settings that this process does not need go on after their prefix. */ -}}
{{- define "tapedeck.environment" -}}
{{- $without := printf "TAPEDECK_%s" (.without | default "nothing") -}}
{{- $values := dict }}
{{- range $each := list .all.Values.settings .settings }}
{{- range $name, $value := $each }}
{{- $_ := set $values $name $value }}
{{- end }}
{{- end }}
{{- range $name, $value := $values }}
{{- if not (or (kindIs "invalid" $value) (hasPrefix $without $name)) }}
- { name: {{ $name }}, value: {{ include "tapedeck.written" $value | quote }} }
{{- end }}
{{- end }}
{{- range $name, $at := .all.Values.secrets }}
{{- if not (hasPrefix $without $name) }}
- { name: {{ $name }}, valueFrom: { secretKeyRef: { name: {{ $at.secret }}, key: {{ $at.key }} } } }
{{- end }}
{{- end }}
{{- end -}}

{{- /* Its scope: for how many tens of seconds a process may not answer before it is ended. */ -}}
{{- define "tapedeck.probes" -}}
# A start opens the stores, may bring them to a new version, and compares the index with the bucket.
startupProbe:
  httpGet: { path: /healthz, port: operations }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 360
livenessProbe:
  httpGet: { path: /healthz, port: operations }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ . }}
# /readyz gives each part three seconds.
readinessProbe:
  httpGet: { path: /readyz, port: operations }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{- define "tapedeck.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- range $at, $file := .Values.files }}
- { name: files-{{ $at }}, mountPath: {{ $file.path }}, readOnly: true }
{{- end }}
{{- end -}}

{{- define "tapedeck.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 1Gi }
{{- range $at, $file := .Values.files }}
- name: files-{{ $at }}
  {{- if $file.secret }}
  secret: { secretName: {{ $file.secret }}, defaultMode: 0440 }
  {{- else }}
  configMap: { name: {{ $file.configMap }}, defaultMode: 0440 }
  {{- end }}
{{- end }}
{{- end -}}
