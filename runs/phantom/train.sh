#!/usr/bin/env bash
# The recipe of the shipped package `phantom`: a tiny network that knows synthetic radiographs only.
set -euo pipefail
out=${1:?usage: train.sh OUT}
lungflag data phantom out/phantoms --n 1200 --seed 1001 --size 256
lungflag train out/phantoms --out "$out" --name phantom --version 1.1.0 \
    --backbone tiny-local --weights none --image-size 160 \
    --epochs 50 --freeze-epochs 0 --lr 0.003 --head-lr 0.003 --crop-scale 0.8 \
    --patience 0 --precision 32-true --seed 1 --licence "Apache-2.0" --citation "Synthetic; made by lungflag data phantom." \
    --run out/phantom.run

# What drift is measured against: phantoms that it was not trained on, as the demo sends them.
lungflag data phantom out/reference --n 400 --seed 70001 --format dicom
lungflag reference "$out" out/reference --split all
