{{- define "dragonfly.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dragonfly.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "dragonfly.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "dragonfly.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* dict root, component */ -}}
{{- define "dragonfly.selector" -}}
app.kubernetes.io/name: {{ include "dragonfly.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "dragonfly.labels" -}}
{{ include "dragonfly.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "dragonfly.image" -}}
{{- $registry := .Values.global.imageRegistry | default .Values.image.registry -}}
{{- if .Values.image.digest -}}
{{ printf "%s/%s@%s" $registry .Values.image.repository .Values.image.digest }}
{{- else -}}
{{ printf "%s/%s:%s" $registry .Values.image.repository (.Values.image.tag | default (printf "v%s" .Chart.AppVersion)) }}
{{- end -}}
{{- end }}

{{- /* The gRPC addresses of the manager, as a list in YAML. */ -}}
{{- define "dragonfly.managers" -}}
{{- if .Values.externalManager }}
{{- toYaml .Values.externalManager }}
{{- else if .Values.manager.enable }}
{{- toYaml (list (printf "%s-manager.%s.svc.%s:65003" (include "dragonfly.fullname" .) .Release.Namespace .Values.clusterDomain)) }}
{{- else }}
{{- fail "externalManager names the manager where manager.enable is false" }}
{{- end }}
{{- end }}

{{- define "dragonfly.managerSecret" -}}
{{- .Values.manager.existingSecret | default (printf "%s-manager" (include "dragonfly.fullname" .)) }}
{{- end }}

{{- /* What the daemons are told: dict root, values, seed. They own the directories below their volumes, which belong to others. Keys of values.config win. */ -}}
{{- define "dragonfly.daemonConfig" -}}
{{- $root := .root }}
{{- $addresses := list }}
{{- range include "dragonfly.managers" $root | fromYamlArray }}
{{- $addresses = append $addresses (dict "type" "tcp" "addr" .) }}
{{- end }}
{{- $manager := dict "enable" true "netAddrs" $addresses }}
{{- if .seed }}{{ $_ := set $manager "seedPeer" (dict "enable" true "type" "super" "clusterID" 1) }}{{ end }}
{{- $proxy := dict "tcpListen" (dict "listen" "0.0.0.0" "port" 65001) "registryMirror" (dict "url" "https://index.docker.io" "dynamic" true) "proxies" (list (dict "regx" "blobs/sha256.*")) "allowedNetworks" $root.Values.client.proxy.allowedNetworks }}
{{- if .seed }}{{ $_ := set $proxy "enable" .values.proxy }}{{ end }}
{{- if and (not .seed) .values.hostNetwork }}{{ $_ := set $proxy "tcpListen" (dict "listen" "127.0.0.1" "port" 65001) }}{{ end }}
{{- $config := dict
  "workHome" "/var/lib/dragonfly/home"
  "dataDir" "/var/lib/dragonfly/data"
  "cacheDir" "/var/lib/dragonfly/cache"
  "console" true
  "scheduler" (dict "manager" $manager)
  "storage" (dict "diskGCThresholdPercent" 80 "taskExpireTime" "72h")
  "health" (dict "tcpListen" (dict "listen" "0.0.0.0" "port" 40901))
  "proxy" $proxy }}
{{- if not .seed }}{{ $_ := set $config.storage "diskGCThreshold" .values.storage.quota }}{{ end }}
{{- if $root.Values.metrics.enable }}{{ $_ := set $config "metrics" (printf ":%v" $root.Values.metrics.port) }}{{ end }}
{{- mustMergeOverwrite $config (deepCopy .values.config) | toYaml }}
{{- end }}

{{- define "dragonfly.schedulerConfig" -}}
{{- $config := dict
  "server" (dict "port" 8002 "cacheDir" "/var/cache/dragonfly/scheduler")
  "manager" (dict "addr" (join "," (include "dragonfly.managers" . | fromYamlArray)) "schedulerClusterID" 1)
  "metrics" (dict "enable" .Values.metrics.enable "addr" (printf ":%v" .Values.metrics.port)) }}
{{- mustMergeOverwrite $config (deepCopy .Values.scheduler.config) | toYaml }}
{{- end }}

{{- /* The password of the database comes from the environment. */ -}}
{{- define "dragonfly.managerConfig" -}}
{{- $values := .Values.manager }}
{{- $database := dict "type" $values.database.type }}
{{- if eq $values.database.type "sqlite" }}
{{- if gt (int $values.replicas) 1 }}{{ fail "several managers share a database server: manager.database.type mysql or postgres" }}{{ end }}
{{- $_ := set $database "sqlite" (dict "path" "/var/lib/dragonfly/manager/manager.db") }}
{{- else }}
{{- $server := dict "host" (required "manager.database.host names the database server" $values.database.host) "user" $values.database.user "dbname" $values.database.name }}
{{- with $values.database.port }}{{ $_ := set $server "port" (int .) }}{{ end }}
{{- $_ := set $database $values.database.type $server }}
{{- end }}
{{- $config := dict
  "server" (dict "rest" (dict "addr" ":8080") "grpc" (dict "port" (dict "start" 65003)))
  "database" $database
  "metrics" (dict "enable" .Values.metrics.enable "addr" (printf ":%v" .Values.metrics.port)) }}
{{- mustMergeOverwrite $config (deepCopy $values.config) | toYaml }}
{{- end }}

{{- /* Keys of a pod that every service has: dict root, component, values */ -}}
{{- define "dragonfly.podCommon" -}}
serviceAccountName: {{ include "dragonfly.fullname" .root }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- $default := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- toYaml (mustMergeOverwrite $default (deepCopy .values.podSecurityContext)) | nindent 2 }}
terminationGracePeriodSeconds: 60
{{- end }}

{{- /* Spread over zones and nodes, where a service has several pods: dict root, component, values */ -}}
{{- define "dragonfly.spread" -}}
topologySpreadConstraints:
  {{- $selector := dict "matchLabels" (include "dragonfly.selector" . | fromYaml) }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      {{- toYaml $selector | nindent 6 }}
  {{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Keys of a container that every service has: dict root, values, port */ -}}
{{- define "dragonfly.containerCommon" -}}
image: {{ include "dragonfly.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- $default := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
  {{- toYaml (mustMergeOverwrite $default (deepCopy .values.securityContext)) | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- $probes := .values.probes }}
{{- $port := .port }}
{{- range $kind := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{ $kind }}:
  {{- if eq $kind "readinessProbe" }}
  grpc:
    port: {{ $port }}
  {{- else }}
  {{- /* A daemon that no scheduler has taken lives, and is not ready. */}}
  tcpSocket:
    port: {{ $port }}
  {{- end }}
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  periodSeconds: {{ $probes.periodSeconds }}
  failureThreshold: {{ eq $kind "startupProbe" | ternary $probes.startupFailureThreshold $probes.failureThreshold }}
{{- end }}
{{- end }}

{{- define "dragonfly.checksum" -}}
checksum/config: {{ . | sha256sum }}
{{- end }}

{{- /* What the container of a daemon has: dict root, values */ -}}
{{- define "dragonfly.daemonContainer" -}}
args: {{ concat (list "dfdaemon" "--config" "/etc/dragonfly/dfget.yaml" "--console") .values.extraArgs | toJson }}
{{- with .values.extraEnvVars }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - { name: peer, containerPort: 65000 }
  - { name: proxy, containerPort: 65001 }
  - { name: pieces, containerPort: 65002 }
  {{- if .root.Values.metrics.enable }}
  - { name: metrics, containerPort: {{ .root.Values.metrics.port }} }
  {{- end }}
volumeMounts:
  - { name: config, mountPath: /etc/dragonfly, readOnly: true }
  - { name: data, mountPath: /var/lib/dragonfly }
  - { name: run, mountPath: /run }
  {{- with .values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Nodes of the control plane pull as they always did, unless asked otherwise. */ -}}
{{- define "dragonfly.nodeAffinity" -}}
{{- $affinity := deepCopy .Values.client.affinity }}
{{- if not .Values.client.controlPlane }}
{{- $terms := list }}
{{- range list "node-role.kubernetes.io/control-plane" "node-role.kubernetes.io/master" }}
{{- $terms = append $terms (dict "key" . "operator" "DoesNotExist") }}
{{- end }}
{{- $required := dict "nodeSelectorTerms" (list (dict "matchExpressions" $terms)) }}
{{- $affinity = mustMergeOverwrite (dict "nodeAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" $required)) $affinity }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}
