#!/usr/bin/env bash
# The recipe of the shipped package `guangzhou`. DATA is the folder that holds both hospitals as
# `runs/two_hospitals.py` expects them, WEIGHTS Keras's ImageNet weights of MobileNetV2 in timm's
# names, GATE what `runs/gate/train.py` wrote.
set -euo pipefail
data=${1:?usage: train.sh DATA WEIGHTS GATE OUT}
weights=${2:?usage: train.sh DATA WEIGHTS GATE OUT}
gate=${3:?usage: train.sh DATA WEIGHTS GATE OUT}
out=${4:?usage: train.sh DATA WEIGHTS GATE OUT}
here=$(dirname "$0")
python "$here/../two_hospitals.py" "$data" --out out/two_hospitals.csv
lungflag train out/two_hospitals.csv --out "$out" --name guangzhou --version 2.1.0 \
    --weights "$weights" --balance 0.5 --style-mix 0.6 --crop-scale 0.3 --lr 3e-4 \
    --epochs 8 --freeze-epochs 1 --patience 0 --seed 1 --gate "$gate" --ages 1 85 \
    --licence "guangzhou=CC BY 4.0" \
    --citation "guangzhou=Kermany, Zhang, Goldbaum: Labeled OCT and Chest X-Ray Images for Classification. Mendeley Data, doi:10.17632/rscbjbr9sj." \
    --licence "nih_adults=free to use with a link to the NIH download site and the citation" \
    --citation "nih_adults=Wang et al.: ChestX-ray8, CVPR 2017. NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC" \
    --run out/guangzhou.run

# What was measured of it goes into its card.
lungflag evaluate "$out" out/two_hospitals.csv --split tune --by subtype --by age_group --by view \
    --shift --shift-images 300 --json out/tune.json || true
lungflag evaluate "$out" "$data/originals" --split all --json out/originals.json || true
python "$here/record.py" "$out" --tune out/tune.json --originals out/originals.json
lungflag reference "$out" out/two_hospitals.csv --split tune
