"""TorchXRayVision's DenseNet-121 with its own way of loading a film. Weights are random.

xrv_densenet.py FOLDER   takes turns
xrv_densenet.py FILE     judges one film and ends, as a script would
"""

import sys
from pathlib import Path

import skimage.io
import torch
import torchvision
import torchxrayvision as xrv
from turns import take_turns


def main(given: Path) -> None:
    model = xrv.models.DenseNet(weights=None, num_classes=18).eval()
    transform = torchvision.transforms.Compose(
        [xrv.datasets.XRayCenterCrop(), xrv.datasets.XRayResizer(224)]
    )

    def judge(path: Path) -> None:
        grey = xrv.datasets.normalize(skimage.io.imread(path), 255)
        if grey.ndim > 2:
            grey = grey.mean(2)
        with torch.no_grad():
            model(torch.from_numpy(transform(grey[None]))[None].float())

    def work() -> int:
        for film in films:
            judge(film)
        return len(films)

    if given.is_file():
        judge(given)
    else:
        films = sorted(given.rglob("*.jp*g"))
        take_turns(work)


main(Path(sys.argv[1]))
