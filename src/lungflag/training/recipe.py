"""The recipe: every choice that makes a model, as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lungflag.errors import TrainingError
from lungflag.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Sequence

VIEWS = ("frame", "lungs", "both")
FRAME = 224  # the published small versions of the largest sets have this side


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `lungflag train` was told. It stands in the package's provenance as it is.

    Attributes
    ----------
    backbone, weights : str
        See `build_network`.
    image_size : int
        Side of the square that the network sees, in pixels.
    equalise : bool
        Equalise every radiograph's histogram, in training and in serving; see `Preprocess`.
    view : str
        What the network is shown: the whole ``frame``, the box around the ``lungs``, or ``both``
        in turn, whose logits are averaged.
    epochs : int
        Passes over the training split, the frozen ones included.
    freeze_epochs : int
        First stage: so many epochs train the head alone.
    batch_size : int
        Images a step and process.
    lr : float
        Peak learning rate of the base in the second stage (AdamW, cosine to zero).
    head_lr : float
        Peak learning rate of the head.
    weight_decay, label_smoothing : float
        Regularisation.
    balance : float
        0 takes the images as they come. Above 0, batches hold both labels equally within every
        source and view position; see `sampling_weights`.
    class_weighting : bool
        Weigh the positives by negatives over positives.
    ema : float
        Decay of the exponential moving average of the weights, which is what ships. 0 is off.
    patience : int
        Stop after so many epochs without a better tuning AUROC and ship the best epoch. 0 trains
        all epochs and ships the last, so that the tuning split chooses nothing.
    augment : bool
        Random views, intensity, blur, noise and JPEG on whole batches.
    crop_scale : float
        Smallest area of a random view, in areas of the box (or of the whole radiograph).
    style_mix : float
        Share of the images that take another's histogram or coarse spectrum, or are equalised.
    opacities : float
        Share of the normal images that get a synthetic opacity in their lungs and the label
        pneumonia. Not with the view ``frame``, where lungs are not looked for.
    precision : str
        ``bf16-mixed`` or ``32-true``, in Lightning's words.
    processes : int
        Processes that train together, a GPU each where there are GPUs. A step sees `processes`
        times `batch_size` images; the rates stay as they are.
    seed : int
        Fixes the initial head, the order of the images, dropout and augmentation.
    """

    backbone: str = "mobilenetv2"
    weights: str = "imagenet"
    image_size: int = 224
    equalise: bool = False
    view: str = "frame"
    epochs: int = 10
    freeze_epochs: int = 1
    batch_size: int = 32
    lr: float = 1e-3
    head_lr: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    balance: float = 0.0
    class_weighting: bool = False
    ema: float = 0.99
    patience: int = 4
    augment: bool = True
    crop_scale: float = 0.3
    style_mix: float = 0.0
    opacities: float = 0.0
    precision: str = "bf16-mixed"
    processes: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 <= self.freeze_epochs <= self.epochs:
            raise TrainingError("epochs must be at least 1, freeze-epochs between 0 and epochs")
        if self.image_size % 32 or self.image_size < 32:
            raise TrainingError(f"image-size {self.image_size} is not a multiple of 32")
        if self.batch_size < 2:
            raise TrainingError("batch-size must be at least 2")
        if self.processes < 1:
            raise TrainingError("processes must be at least 1")
        if not 0 < self.crop_scale <= 1:
            raise TrainingError("crop-scale must be above 0 and at most 1")

        for name in ("balance", "style_mix", "opacities"):
            if not 0 <= getattr(self, name) <= 1:
                raise TrainingError(f"{name.replace('_', '-')} must be between 0 and 1")
        if self.view not in VIEWS:
            raise TrainingError(f"view {self.view!r} is none of {', '.join(VIEWS)}")
        if self.opacities and self.view == "frame":
            raise TrainingError("opacities are put into lungs: they need the view lungs or both")

    @property
    def frame_size(self) -> int:
        """Side of the square that a whole radiograph is brought to, in pixels."""
        return max(FRAME, self.image_size) if self.view != "frame" else self.image_size

    @property
    def preprocess(self) -> Preprocess:
        """The way from a radiograph to the frame."""
        return Preprocess(size=self.frame_size, equalise=self.equalise)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


def common_preprocess(recipes: Sequence[Recipe]) -> Preprocess:
    """Return the way from a radiograph to the frame that networks of all `recipes` can share.

    Raises
    ------
    TrainingError
        If some equalise histograms and others do not.
    """
    if len({recipe.equalise for recipe in recipes}) != 1:
        raise TrainingError("some members equalise histograms and others do not: no frame fits all")
    return Preprocess(
        size=max(recipe.frame_size for recipe in recipes), equalise=recipes[0].equalise
    )
