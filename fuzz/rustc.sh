#!/bin/sh
# RUSTC_WRAPPER of the fuzzer's build: LLVM's coverage goes into readyd, its parsers and the targets, and into nothing else,
# so that the fuzzer is drawn to what is ours. Stable compilers take these flags; a sanitizer would need another one, and
# `unsafe` is denied here.
case " $* " in
*" --crate-name readyd "* | *" --crate-name fuzz "* | *" --crate-name saphyr_parser "*)
  exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  ;;
*) exec "$@" ;;
esac
