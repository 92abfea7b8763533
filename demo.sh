#!/usr/bin/env bash
# The demo: a dozen synthetic DICOM studies, flagged by the small package that knows them.
set -euo pipefail
bin=${BIN:-.venv/bin}
out=${1:-demo}
"$bin/lungflag" data phantom "$out/studies" --n 12 --format dicom
"$bin/lungflag" detect "$out/studies" --model phantom --operating-point balanced \
    --table "$out/findings.csv" --overlays "$out/overlays"
cat <<END

The table is in $out/findings.csv, the pictures are in $out/overlays.
Those were synthetic. The real detector on your own radiographs:

    $bin/lungflag detect PATH... --table findings.csv --overlays overlays
END
