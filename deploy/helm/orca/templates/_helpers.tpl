{{- define "orca.name" -}}{{ printf "%s-%s" .root.Release.Name .service | trunc 63 | trimSuffix "-" }}{{- end -}}

{{- define "orca.labels" -}}
app.kubernetes.io/name: orca
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "orca.metadata" -}}
name: {{ include "orca.name" . }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "orca.labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "orca.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{- else -}}{{ .Values.image.repository }}:{{ $tag }}{{- end -}}
{{- end -}}

{{/* Combinations that would start and then fail, or start insecure, fail here instead. */}}
{{- define "orca.check" -}}
{{- if eq (.Values.image.tag | toString) "latest" -}}{{ fail "image.tag: pin a version; latest is refused" }}{{- end -}}
{{- if and .Values.tls.enabled (eq .Values.tls.mode "provided") (not .Values.tls.existingSecretPrefix) -}}{{ fail "tls.existingSecretPrefix: needed with tls.mode provided" }}{{- end -}}
{{- if and .Values.tls.enabled (eq .Values.tls.mode "certManager") (not .Values.tls.issuerRef.name) -}}{{ fail "tls.issuerRef.name: needed with tls.mode certManager" }}{{- end -}}
{{- if and (hasPrefix "SASL" .Values.kafka.securityProtocol) (not .Values.kafka.existingSecret) -}}{{ fail "kafka.existingSecret: needed with SASL" }}{{- end -}}
{{- if and .Values.ingress.enabled .Values.gateway.enabled -}}{{ fail "ingress.enabled and gateway.enabled exclude each other" }}{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- if not (and .Values.ingress.relay.host .Values.ingress.management.host) -}}{{ fail "ingress.relay.host and ingress.management.host: needed with ingress.enabled" }}{{- end -}}
{{- if eq .Values.ingress.relay.host .Values.ingress.management.host -}}{{ fail "ingress: the two planes need hosts of their own, so that a relay key never meets the management plane" }}{{- end -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- if not .Values.gateway.parentRef.name -}}{{ fail "gateway.parentRef.name: needed with gateway.enabled" }}{{- end -}}
{{- if not (and .Values.ingress.relay.host .Values.ingress.management.host) -}}{{ fail "ingress.relay.host and ingress.management.host: needed with gateway.enabled" }}{{- end -}}
{{- if eq .Values.ingress.relay.host .Values.ingress.management.host -}}{{ fail "gateway: the two planes need hosts of their own, so that a relay key never meets the management plane" }}{{- end -}}
{{- end -}}
{{- if and .Values.kafka.caSecret (not (hasSuffix "SSL" .Values.kafka.securityProtocol)) -}}{{ fail "kafka.caSecret: only with kafka.securityProtocol SSL or SASL_SSL" }}{{- end -}}
{{- range $broker := splitList "," .Values.kafka.bootstrap -}}
{{- if not (hasSuffix (printf ":%d" (int $.Values.kafka.port)) $broker) -}}{{ fail (printf "kafka.port: %d is not the port of %s, so the NetworkPolicy would cut it off" (int $.Values.kafka.port) $broker) }}{{- end -}}
{{- end -}}
{{- if hasSuffix "Gi" .Values.relay.journal.size -}}
{{- if ge (int64 .Values.relay.journal.maxBytes) (mul (trimSuffix "Gi" .Values.relay.journal.size | int64) 1073741824) -}}{{ fail "relay.journal.maxBytes: must be below relay.journal.size" }}{{- end -}}
{{- end -}}
{{- range $name, $service := .Values.services -}}
{{- if and $service.autoscaling.enabled (gt (int $service.autoscaling.minReplicas) (int $service.autoscaling.maxReplicas)) -}}{{ fail (printf "services.%s.autoscaling: minReplicas is above maxReplicas" $name) }}{{- end -}}
{{- end -}}
{{- if gt (int .Values.relay.autoscaling.minReplicas) (int .Values.relay.autoscaling.maxReplicas) -}}{{ fail "relay.autoscaling: minReplicas is above maxReplicas" }}{{- end -}}
{{- end -}}

{{- define "orca.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}
{{- end -}}

{{- define "orca.env" -}}
{{- $root := .root -}}{{- $scheme := ternary "https" "http" $root.Values.tls.enabled -}}
{{- $secret := $root.Values.secrets.existingSecret -}}
{{- /* Each service sees the secrets it uses and no others; migrating builds every service. */ -}}
- {name: ORCA_HOME, value: /var/lib/orca}
{{- range $name, $users := dict "key-pepper" (list "auth" "firewall" "relay") "channel-secret" (list "auth") "fingerprint-secret" (list "guardrail") "firewall-secret" (list "firewall") }}
{{- if has $.service (append $users "migrate") }}
{{ include "orca.secretEnv" (dict "name" (printf "ORCA_%s" ($name | upper | replace "-" "_")) "secret" $secret "key" $name) }}
{{- end }}
{{- end }}
{{- if or (eq .service "auth") (eq .service "migrate") }}
{{ include "orca.secretEnv" (dict "name" "ORCA_BOOTSTRAP_ADMIN_PASSWORD" "secret" $root.Values.secrets.existingSecret "key" "bootstrap-admin-password") }}
- {name: ORCA_BOOTSTRAP_ADMIN_EMAIL, value: {{ $root.Values.bootstrap.adminEmail | quote }}}
{{- end }}
{{- if not (has .service (list "relay" "console")) }}
{{ include "orca.secretEnv" (dict "name" "ORCA_DATABASE_URL" "secret" $root.Values.database.existingSecret "key" $root.Values.database.key) }}
{{- end }}
{{- if has .service (list "analytics" "migrate") }}
{{ include "orca.secretEnv" (dict "name" "ORCA_CLICKHOUSE_URL" "secret" $root.Values.clickhouse.existingSecret "key" $root.Values.clickhouse.key) }}
{{- end }}
{{- if ne .service "console" }}
- {name: ORCA_KAFKA_BOOTSTRAP, value: {{ $root.Values.kafka.bootstrap | quote }}}
- {name: ORCA_KAFKA_SECURITY_PROTOCOL, value: {{ $root.Values.kafka.securityProtocol }}}
{{- if hasPrefix "SASL" $root.Values.kafka.securityProtocol }}
- {name: ORCA_KAFKA_SASL_MECHANISM, value: {{ $root.Values.kafka.saslMechanism }}}
{{ include "orca.secretEnv" (dict "name" "ORCA_KAFKA_SASL_USERNAME" "secret" $root.Values.kafka.existingSecret "key" "username") }}
{{ include "orca.secretEnv" (dict "name" "ORCA_KAFKA_SASL_PASSWORD" "secret" $root.Values.kafka.existingSecret "key" "password") }}
{{- end }}
{{- if $root.Values.kafka.caSecret }}
- {name: ORCA_KAFKA_CA_FILE, value: /etc/orca/kafka/ca.crt}
{{- end }}
{{- end }}
- name: ORCA_REPLICA_ID
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- {name: ORCA_GRPC_BIND, value: "0.0.0.0:9090"}
- {name: ORCA_HTTP_BIND, value: "0.0.0.0:8090"}
- {name: ORCA_METRICS_BIND, value: "0.0.0.0:9100"}
- {name: ORCA_LOG_LEVEL, value: {{ $root.Values.logLevel }}}
- {name: ORCA_ECHO_MODEL, value: {{ $root.Values.echoModel | quote }}}
{{- if $root.Values.upstreamAllowCidrs }}
- {name: ORCA_UPSTREAM_ALLOW_CIDRS, value: {{ join "," $root.Values.upstreamAllowCidrs | quote }}}
{{- end }}
{{- if $root.Values.otlpEndpoint }}
- {name: ORCA_OTLP_ENDPOINT, value: {{ $root.Values.otlpEndpoint | quote }}}
{{- end }}
{{- /* Migrating calls no service, so it has no certificate. */}}
{{- if and $root.Values.tls.enabled (ne .service "migrate") }}
- {name: ORCA_TLS_CERT_FILE, value: /etc/orca/tls/tls.crt}
- {name: ORCA_TLS_KEY_FILE, value: /etc/orca/tls/tls.key}
- {name: ORCA_TLS_CA_FILE, value: /etc/orca/tls/ca.crt}
{{- end }}
{{- range $peer := list "auth" "guardrail" "firewall" "ledger" "analytics" "relay" }}
- {name: ORCA_{{ upper $peer }}_GRPC, value: "dns:///{{ include "orca.name" (dict "root" $root "service" $peer) }}-grpc.{{ $root.Release.Namespace }}.svc:9090"}
{{- end }}
{{- if eq .service "console" }}
{{- range $peer := list "auth" "guardrail" "firewall" "ledger" "analytics" }}
- {name: ORCA_{{ upper $peer }}_URL, value: "{{ $scheme }}://{{ include "orca.name" (dict "root" $root "service" $peer) }}.{{ $root.Release.Namespace }}.svc:8090"}
{{- end }}
- {name: ORCA_MANAGEMENT_BIND, value: "0.0.0.0:8081"}
{{- end }}
{{- /* Until callers have seen that the pod leaves; a relay's preStop waits for that. */}}
- {name: ORCA_DRAIN_DELAY_S, value: {{ ternary "1" "5" (eq .service "relay") | quote }}}
{{- if eq .service "relay" }}
- {name: ORCA_RELAY_BIND, value: "0.0.0.0:8080"}
- {name: ORCA_SHUTDOWN_GRACE_S, value: {{ $root.Values.relay.drainSeconds | quote }}}
- {name: ORCA_JOURNAL_MAX_BYTES, value: {{ printf "%.0f" $root.Values.relay.journal.maxBytes | quote }}}
{{- end }}
{{- if and $root.Values.trustedProxies (or (eq .service "relay") (eq .service "console")) }}
- {name: ORCA_TRUSTED_PROXIES, value: {{ join "," $root.Values.trustedProxies | quote }}}
{{- end }}
{{- range $key, $value := $root.Values.extraEnv }}
- {name: {{ $key }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{- define "orca.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "orca.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Pod template of a service: dict root, service, config. */}}
{{- define "orca.pod" -}}
{{- $root := .root -}}{{- $plane := has .service (list "relay" "console") -}}
metadata:
  labels:
    {{- include "orca.labels" . | nindent 4 }}
spec:
  serviceAccountName: {{ $root.Release.Name }}-orca
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ ternary (add $root.Values.relay.drainSeconds 20) 40 (eq .service "relay") }}
  securityContext:
    {{- include "orca.podSecurity" . | nindent 4 }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.scheduling.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.scheduling.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: {{ $root.Values.scheduling.topologyKey }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "orca.labels" . | nindent 10 }}
  containers:
    - name: {{ .service }}
      image: {{ include "orca.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [serve, {{ .service }}]
      securityContext:
        {{- include "orca.containerSecurity" . | nindent 8 }}
      env:
        {{- include "orca.env" . | nindent 8 }}
      ports:
        {{- if eq .service "relay" }}
        - {name: http, containerPort: 8080}
        {{- else if eq .service "console" }}
        - {name: http, containerPort: 8081}
        {{- else }}
        - {name: http, containerPort: 8090}
        {{- end }}
        {{- if ne .service "console" }}
        - {name: grpc, containerPort: 9090}
        {{- end }}
        - {name: metrics, containerPort: 9100}
      startupProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 3
      readinessProbe:
        httpGet: {path: /readyz, port: {{ ternary "http" "metrics" $plane }}}
        periodSeconds: 5
        timeoutSeconds: 3
      {{- if eq .service "relay" }}
      lifecycle:
        preStop:
          # Endpoints are taken away while the process still accepts; then SIGTERM drains it.
          exec: {command: [sleep, "5"]}
      {{- end }}
      resources: {{ toYaml .config.resources | nindent 8 }}
      volumeMounts:
        - {name: {{ ternary "journal" "home" (eq .service "relay") }}, mountPath: /var/lib/orca}
        - {name: tmp, mountPath: /tmp}
        {{- if $root.Values.tls.enabled }}
        - {name: tls, mountPath: /etc/orca/tls, readOnly: true}
        {{- end }}
        {{- if $root.Values.kafka.caSecret }}
        - {name: kafka-ca, mountPath: /etc/orca/kafka, readOnly: true}
        {{- end }}
  volumes:
    {{- if ne .service "relay" }}
    - {name: home, emptyDir: {sizeLimit: 1Gi}}
    {{- end }}
    - {name: tmp, emptyDir: {sizeLimit: 256Mi}}
    {{- if $root.Values.tls.enabled }}
    - name: tls
      secret: {secretName: {{ ternary (printf "%s-tls" (include "orca.name" .)) (printf "%s-%s" $root.Values.tls.existingSecretPrefix .service) (eq $root.Values.tls.mode "certManager") }}, defaultMode: 0440}
    {{- end }}
    {{- if $root.Values.kafka.caSecret }}
    - name: kafka-ca
      secret: {secretName: {{ $root.Values.kafka.caSecret }}, defaultMode: 0440}
    {{- end }}
{{- end -}}
