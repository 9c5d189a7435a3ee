#!/usr/bin/env bash
# Fuzzes each target for so many seconds, one a core at a time, and prints what was tried and what broke:
#   scripts/fuzz.sh SECONDS [TARGET...]
# What it finds worth keeping stays in target/fuzz/inputs (and is read again the next time); `FUZZ_KEEP=1` puts the part of
# it that reaches something new into fuzz/corpus, which the suite replays. Needs a C++ compiler and nothing else.
set -euo pipefail

cd "$(dirname "$0")/.."
seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET...]}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for directory in fuzz/corpus/*/; do targets+=("$(basename "$directory")"); done
fi
jobs=${FUZZ_JOBS:-$(getconf _NPROCESSORS_ONLN)}
built=target/fuzz
export FUZZ_BINARY=target/debug/fuzz FUZZ_BUILT=$built FUZZ_SECONDS_EACH=$seconds

(cd fuzz && RUSTC_WRAPPER=$PWD/rustc.sh "${CARGO:-cargo}" build --locked --target-dir ../target)

one() {
  local target=$1 inputs=$FUZZ_BUILT/inputs/$1 found=$FUZZ_BUILT/found log=$FUZZ_BUILT/$1.log
  mkdir -p "$inputs" "$found"
  FUZZ_TARGET=$target nice "$FUZZ_BINARY" "$inputs" "fuzz/corpus/$target" \
    -max_total_time="$FUZZ_SECONDS_EACH" -max_len=20000 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$found/$target-" >"$log" 2>&1 && status=held || status=BROKEN
  local runs first last
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  first=$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' "$log" | head -n1)
  last=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n1)
  printf '%-12s %12s runs  coverage %6s -> %-6s  %s\n' "$target" "${runs:-?}" "${first:-?}" "${last:-?}" "$status"
  if [ "$status" = BROKEN ]; then
    grep -E "panicked at|^ERROR|^SUMMARY|Test unit written" -A2 "$log" || tail -n 20 "$log"
    echo "see it again: FUZZ_TARGET=$target $FUZZ_BINARY $found/$target-..."
    return 1
  fi
  if [ -n "${FUZZ_KEEP:-}" ]; then
    FUZZ_TARGET=$target "$FUZZ_BINARY" -merge=1 -max_len=2000 "fuzz/corpus/$target" "$inputs" >>"$log" 2>&1
  fi
}
export -f one

printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'one {}'
