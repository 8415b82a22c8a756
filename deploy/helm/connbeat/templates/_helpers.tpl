{{- define "connbeat.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "connbeat.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "connbeat.labels" -}}
{{ include "connbeat.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* What the values leave to the agent's place in the cluster: its endpoint and its directory. */ -}}
{{- define "connbeat.config" -}}
{{- $placed := dict "http" (dict "enabled" true "host" "127.0.0.1" "port" .Values.http.port) "path.home" "/var/lib/connbeat" -}}
{{- toYaml (merge (deepCopy .Values.config) $placed) -}}
{{- end -}}

{{- define "connbeat.probe" -}}
httpGet:
  host: 127.0.0.1
  port: http
  path: {{ . }}
{{- end -}}
