{{- /* With "-operations" behind it, it is as long as a Service's name may be. */ -}}
{{- define "tapedeck.name" -}}
{{- $name := ternary .Release.Name (printf "%s-tapedeck" .Release.Name) (contains "tapedeck" .Release.Name) -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- /* Of the Service that only the pod's name and the metrics need. */ -}}
{{- define "tapedeck.operations" -}}
{{- include "tapedeck.name" . }}-operations
{{- end -}}

{{- define "tapedeck.selector" -}}
app.kubernetes.io/name: tapedeck
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Workers and publishers have another name: what selects hosts does not select them. */ -}}
{{- define "tapedeck.workSelector" -}}
app.kubernetes.io/name: tapedeck-work
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tapedeck.publishSelector" -}}
app.kubernetes.io/name: tapedeck-publish
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tapedeck.labels" -}}
{{ include "tapedeck.selector" . }}
{{ include "tapedeck.versionLabels" . }}
{{- end -}}

{{- define "tapedeck.versionLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tapedeck.publicUrl" -}}
{{- if .Values.settings.TAPEDECK_PUBLIC_URL -}}
{{- .Values.settings.TAPEDECK_PUBLIC_URL -}}
{{- else if .Values.ingress.enabled -}}
{{- printf "https://%s" (required "ingress.host must be set: the name by which clients reach the service." .Values.ingress.host) -}}
{{- else -}}
{{- printf "http://%s.%s.svc:8080" (include "tapedeck.name" .) .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- /* A number from a file of values is a float to Helm, which writes one from a million on with an exponent. */ -}}
{{- define "tapedeck.written" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}
