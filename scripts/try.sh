#!/usr/bin/env bash
# `make run`: serve with the embedded default, and say what to try.
set -euo pipefail
readyd=$1
cat <<TEXT

readyd serves on 127.0.0.1:9099 until you press Ctrl-C. In another terminal:

  curl localhost:9099/ready
  $readyd emit --tenant acme --endpoint crm --status 503 --count 20
  curl localhost:9099/v1/webhook-digest
  curl -s localhost:9099/metrics | grep readyd_webhook
  $readyd status --all
  $readyd demo            # two tenants and a day of trouble

TEXT
exec "$readyd" serve
