{{- define "supercargo.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "supercargo.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "supercargo.labels" -}}
{{ include "supercargo.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* A pod of `serve` or `worker`. Takes root, role, arguments, probe's port and resources. */}}
{{- define "supercargo.pod" -}}
{{- $ := .root -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "supercargo.labels" $ | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
  annotations:
    checksum/config: {{ include (print $.Template.BasePath "/config.yaml") $ | sha256sum }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  # --shutdown-grace, and what ends after it.
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  {{- with $values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "supercargo.selector" $ | nindent 10 }}
          app.kubernetes.io/component: {{ .role }}
  {{- with $values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: "{{ $values.image.repository }}:{{ $values.image.tag | default $.Chart.AppVersion }}"
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .arguments }}
      env:
        - name: SUPERCARGO_DATABASE_URL
          valueFrom:
            secretKeyRef:
              name: {{ required "database.existingSecret: name the secret with the database's URL" $values.database.existingSecret }}
              key: {{ $values.database.key }}
        {{- with $values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if eq .role "serve" }}
        - { name: http, containerPort: 2274 }
        {{- end }}
        - { name: metrics, containerPort: 9274 }
      startupProbe:
        httpGet: { path: /health/live, port: metrics }
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: { path: /health/live, port: metrics }
        timeoutSeconds: 5
      readinessProbe:
        httpGet: { path: /health/ready, port: metrics }
        periodSeconds: 5
        timeoutSeconds: 5
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
        - { name: config, mountPath: /etc/supercargo, readOnly: true }
        {{- if $values.crates.existingSecret }}
        - { name: s3, mountPath: /run/secrets/s3, readOnly: true }
        {{- end }}
        {{- if $values.index.existingSecret }}
        - { name: index, mountPath: /run/secrets/index, readOnly: true }
        {{- end }}
  volumes:
    - name: data
      emptyDir: { sizeLimit: {{ $values.dataSize }} }
    - name: tmp
      emptyDir: {}
    - name: config
      configMap: { name: {{ include "supercargo.name" $ }} }
    {{- with $values.crates.existingSecret }}
    - name: s3
      secret: { secretName: {{ . }}, defaultMode: 0440 }
    {{- end }}
    {{- with $values.index.existingSecret }}
    - name: index
      secret: { secretName: {{ . }}, defaultMode: 0440 }
    {{- end }}
{{- end }}
