"""A plain loop: timm's MobileNetV2, torchvision's ImageFolder and transforms, 32-bit floats."""

import sys

import timm
import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from turns import take_turns


def main(folder: str) -> None:
    look = transforms.Compose(
        [
            transforms.RandomResizedCrop(224, scale=(0.3, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    batches = DataLoader(ImageFolder(folder, look), 32, shuffle=True, num_workers=2, drop_last=True)
    model = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    loss_of = torch.nn.BCEWithLogitsLoss()

    def work() -> int:
        done = 0
        for images, labels in batches:
            optimizer.zero_grad()
            loss_of(model(images)[:, 0], labels.float()).backward()
            optimizer.step()
            done += len(images)
        return done

    take_turns(work)


main(sys.argv[1])
