#!/usr/bin/env bash
# Licences, sources and bans of every dependency, by cargo-deny; advisories need a database that is
# fetched over the network, so they are left to `cargo deny check advisories` by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
deny=target/tools/bin/cargo-deny
command -v cargo-deny >/dev/null 2>&1 && deny=$(command -v cargo-deny)
if [ ! -x "$deny" ]; then
  CARGO_TARGET_DIR=target/tools/build cargo install --locked --quiet --root target/tools --debug --version "$version" cargo-deny \
    --no-default-features || {
    echo "deny: cargo-deny $version could not be installed" >&2
    [ "${CI:-}" != true ] || exit 1
    exit 0
  }
fi
# It looks at the crates of every platform; a build here has had those of this one.
cargo fetch --locked --quiet
exec "$deny" --offline check --hide-inclusion-graph bans licenses sources
