#!/usr/bin/env bash
# The demo: synthetic studies arrive in the service, and stand in its worklist. --once ends it after
# the summary; so does a missing terminal.
set -euo pipefail
bin=${BIN:-.venv/bin}
exec "$bin/lungflag" demo "$@"
