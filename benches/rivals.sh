#!/usr/bin/env bash
# Builds the engines that `sidebyside` compares with, and the newest Prometheus, Telegraf and k6 that tests speak to, from the Go module proxy,
# into $RIVALS/NAME-VERSION/PROGRAM.
#
#   benches/rivals.sh [victorialogs] [victoriametrics] [loki] [prometheus] [telegraf] [k6]     victorialogs and loki without a name
#
# The newest release that the proxy has and that builds is taken; a version that is installed is left as it is.
set -euo pipefail

RIVALS=${RIVALS:-${CACHE:-$HOME/.cache/backstop}/rivals}

# Versions to try, newest first: what the proxy lists, then releases known to be there when it lists none.
versions() { # module fallback...
  local module=$1
  shift
  {
    go list -m -versions "$module" 2>/dev/null | tr ' ' '\n' | grep -E '^v[0-9.]+$' || true
    printf '%s\n' "$@"
  } | sort -Vru
}

# Copies a module's source, for a module's own replacements only hold when it is the main one.
unpack() { # module version into
  local source
  source=$(go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  [ -n "$source" ] || return 1
  mkdir -p "$3"
  cp -r "$source/." "$3"
  chmod -R u+w "$3"
}

# Modules inside a module's folder are not in its archive: those that it replaces by a folder come from the proxy too.
unpack_nested() { # source
  local module folder version
  while read -r module folder; do
    [ -e "$1/$folder/go.mod" ] && continue
    version=$(awk -v module="$module" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$1/go.mod")
    unpack "$module" "$version" "$1/$folder"
  done < <(sed -nE 's/^(replace )?[[:space:]]*([^ ]+) => (\.[^ ]+)$/\2 \3/p' "$1/go.mod")
}

# Builds packages, the last of which is the program that tells whether all is there; FILES are folders of the source to keep too.
build() { # name module program packages fallback...
  local name=$1 module=$2 program=$3 packages=$4 version work target folder
  shift 4
  for version in $(versions "$module" "$@"); do
    target=$RIVALS/$name-$version
    if [ -x "$target/$program" ]; then
      echo "$name $version is in $target"
      return
    fi
    work=$(mktemp -d)
    if unpack "$module" "$version" "$work" && unpack_nested "$work" &&
      mkdir -p "$target" && (cd "$work" && GOWORK=off nice go build -mod=mod -tags "${TAGS:-}" -o "$target/" $packages); then
      for folder in ${FILES:-}; do
        mkdir -p "$target/$folder" && cp -r "$work/$folder/." "$target/$folder"
      done
      rm -rf "$work"
      echo "$name $version is in $target"
      return
    fi
    rm -rf "$work"
    rmdir "$target" 2>/dev/null || true
    echo "$name $version does not build; trying the one before" >&2
  done
  echo "no version of $name builds" >&2
  return 1
}

[ $# -gt 0 ] || set -- victorialogs loki
for name in "$@"; do
  case $name in
    victorialogs)
      build victorialogs github.com/VictoriaMetrics/VictoriaLogs victoria-logs ./app/victoria-logs v1.52.1
      ;;
    victoriametrics)
      build victoriametrics github.com/VictoriaMetrics/VictoriaMetrics victoria-metrics ./app/victoria-metrics v1.154.1 v1.150.0
      ;;
    loki)
      build loki github.com/grafana/loki/v3 loki ./cmd/loki v3.7.8 v3.7.7
      ;;
    prometheus)
      # Without service discovery, which needs the kits of a dozen clouds.
      TAGS=remove_all_sd FILES="cmd/promtool/testdata rules/fixtures" \
        build prometheus github.com/prometheus/prometheus promtool "./cmd/prometheus ./cmd/promtool" v0.316.0
      ;;
    telegraf)
      # With the inputs and outputs that tests use: all of them need the kits of every database there is.
      export CGO_ENABLED=0
      plugins=inputs.mem,inputs.cpu,inputs.system,outputs.influxdb,outputs.influxdb_v2,outputs.graphite
      TAGS="custom,$plugins,serializers.influx,serializers.graphite" \
        build telegraf github.com/influxdata/telegraf telegraf ./cmd/telegraf v1.37.2
      ;;
    k6)
      # Its output for remote write is part of it.
      CGO_ENABLED=0 build k6 go.k6.io/k6 k6 . v1.8.1
      ;;
    *)
      echo "no rival $name: there are victorialogs, victoriametrics, loki, prometheus, telegraf and k6" >&2
      exit 2
      ;;
  esac
done
