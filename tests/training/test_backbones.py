from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lungflag.errors import TrainingError
from lungflag.training.backbones import BACKBONES, build_network


@pytest.mark.parametrize(
    "name",
    [
        "cnn-small",
        "cnn-deep",
        "mobilenetv2",
        "test_vit",  # tokens
        "test_efficientnet",
        pytest.param("xception", marks=pytest.mark.slow),
        pytest.param("swin_tiny_patch4_window7_224", marks=pytest.mark.slow),  # channels last
    ],
)
def test_the_mean_of_the_map_is_the_logit(name: str) -> None:
    network = build_network(name, weights="none", image_size=224).eval()
    with torch.no_grad():
        logit, cam, embedding = network(torch.rand(2, 1, 224, 224))
    assert logit.shape == (2,)
    assert cam.ndim == 3
    assert embedding.ndim == 2
    torch.testing.assert_close(cam.mean(dim=(1, 2)), logit, atol=1e-5, rtol=1e-4)


def test_a_smooth_maximum_lies_between_the_mean_and_the_maximum_of_the_map() -> None:
    network = build_network("tiny-local", weights="none", image_size=96).eval()
    for weight in network.head.parameters():
        torch.nn.init.normal_(weight)
    with torch.no_grad():
        logit, cam, embedding = network(torch.rand(3, 1, 96, 96))
    assert cam.shape == (3, 12, 12)
    assert embedding.shape == (3, 192)
    torch.testing.assert_close(logit, cam.double().exp().mean(dim=(1, 2)).log().float())
    assert (logit > cam.mean(dim=(1, 2))).all()
    assert (logit < cam.amax(dim=(1, 2))).all()


def test_a_local_network_sees_a_part_of_the_film_at_a_time() -> None:
    """The channels' gates follow the whole film, but little."""
    torch.manual_seed(1)
    network = build_network("tiny-local", weights="none", image_size=160).eval()
    grey = torch.rand(1, 1, 160, 160, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(grey)[1][0, 10, 10], grey)
    influence = gradient[0, 0].abs()
    assert influence[63:98, 63:98].sum() > 0.99 * influence.sum()


def test_a_dense_heads_map_follows_the_pixels_that_matter() -> None:
    """Away from the kinks, moving a place's features moves the logit by that place's share."""
    head = build_network("cnn-small", weights="none", image_size=64).eval().head
    features = torch.rand(1, 64, 2, 2, requires_grad=True)
    logit, cam, _ = head(features)
    (gradient,) = torch.autograd.grad(logit, features)
    shares = (gradient * features).sum(dim=1) * 4
    difference = cam - shares  # the biases' share, the same everywhere
    torch.testing.assert_close(difference, difference.mean().expand_as(difference))


@pytest.mark.shared
def test_keras_weights_load_whole(shared: Path) -> None:
    file = shared / "weights" / "mobilenetv2_100_imagenet.safetensors"
    network = build_network("mobilenetv2", weights=str(file), image_size=224)
    assert network.mean == 0.5
    assert network.std == 0.5
    scratch = build_network("mobilenetv2", weights="none", image_size=224)
    same = [
        name
        for (name, ours), theirs in zip(
            network.base.named_parameters(), scratch.base.parameters(), strict=True
        )
        if torch.equal(ours, theirs)
    ]
    assert same == []


def test_unknown_names_and_missing_weights_are_named() -> None:
    with pytest.raises(TrainingError, match=r"no backbone 'mobilnet'.*cnn-small"):
        build_network("mobilnet", weights="none", image_size=224)
    with pytest.raises(TrainingError, match=r"nowhere\.safetensors: no such"):
        build_network("mobilenetv2", weights="nowhere.safetensors", image_size=224)
    with pytest.raises(TrainingError, match="no pretrained weights"):
        build_network("cnn-deep", weights="imagenet", image_size=224)


def test_every_backbone_says_what_it_is() -> None:
    assert {"cnn-small", "cnn-deep", "xception"} <= set(BACKBONES)
    assert all(backbone.about for backbone in BACKBONES.values())
