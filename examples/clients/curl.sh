#!/bin/sh
# One document through a deployed server: sh examples/clients/curl.sh URL
# The key goes in by standard input: in the command line every user of the machine could read it.
set -eu

ask() {
    printf 'x-api-key: %s\n' "${CUPEL_SERVER_KEY:-}" | curl -sS --fail-with-body -H @- -H 'content-type: application/json' "$@"
}

echo "offered:"
ask "$1/cupel/offer"
echo
echo "done:"
ask "$1/runs/wait" -d '{
  "assistant_id": "enrich",
  "input": {"text": "Madam President, we must build more homes. Rents rose by 40 % in ten years.", "task": "arguments"}
}'
echo
