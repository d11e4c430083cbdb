{{/* Labels of every object. Argument: the root context. */}}
{{- define "shop.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels that select the pods of a part. Argument: dict "root" "part". */}}
{{- define "shop.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* The annotation that makes a part depend on another. Argument: dict "root" "on", on being Kind/name. */}}
{{- define "shop.dependsOn" -}}
{{- if .root.Values.dependsOn }}
annotations:
  config.kubernetes.io/depends-on: apps/namespaces/{{ .root.Release.Namespace }}/{{ .on }}
{{- end }}
{{- end }}

{{/* What every container and its pod share: a pod spec's security. */}}
{{- define "shop.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "shop.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* The container of a part. Argument: dict "root" "part" "values". */}}
{{- define "shop.container" -}}
- name: {{ .part }}
  image: {{ .root.Values.image }}
  imagePullPolicy: {{ .root.Values.imagePullPolicy }}
  args: [serve]
  env:
  - {name: WORKLOAD_PART, value: {{ .part }}}
  - {name: WORKLOAD_TAG, value: {{ .root.Values.tag | quote }}}
  {{- range $name, $value := .values.env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- if and (eq .part "backend") .root.Values.break.duplicateEnv }}
  - {name: WORKLOAD_TAG, value: twice}
  {{- end }}
  envFrom:
  {{- if eq .part "db" }}
  - secretRef: {name: db-credentials}
  {{- else }}
  - configMapRef: {name: shop-config}
  {{- end }}
  ports:
  - name: http
    containerPort: {{ if and (eq .part "frontend") .root.Values.break.invalid }}99999{{ else }}8080{{ end }}
  readinessProbe:
    httpGet: {path: /readyz, port: http}
    periodSeconds: 1
  livenessProbe:
    httpGet: {path: /healthz, port: http}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  {{- include "shop.containerSecurity" .root | nindent 2 }}
{{- end }}
