#!/usr/bin/env bash
# The recipe of the shipped package `guangzhou`. DATA is the folder of the published train split,
# WEIGHTS Keras's ImageNet weights of MobileNetV2 in timm's names.
set -euo pipefail
data=${1:?usage: train.sh DATA WEIGHTS OUT}
weights=${2:?usage: train.sh DATA WEIGHTS OUT}
out=${3:?usage: train.sh DATA WEIGHTS OUT}
lungflag train "$data" --out "$out" --name guangzhou --version 1.0.0 \
    --backbone mobilenetv2 --weights "$weights" --image-size 224 \
    --epochs 7 --freeze-epochs 1 --lr 0.001 --head-lr 0.001 --patience 0 --seed 1 \
    --licence "CC BY 4.0" \
    --citation "Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for Classification. Mendeley Data, doi:10.17632/rscbjbr9sj" \
    --run out/guangzhou.run
